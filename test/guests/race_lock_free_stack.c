// A lock-free stack with compare-and-swap: who popped what, and the number of failed attempts
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>
struct node {
  struct node* next;
  int value;
};
static _Atomic(struct node*) top;
static atomic_ulong failures;
static struct node nodes[4][500];
static void* run(void* arg) {
  int me = (int)(intptr_t)arg;
  unsigned long hash = 0;
  for (int i = 0; i < 500; i++) {
    struct node* n = &nodes[me][i];
    n->value = me * 1000 + i;
    n->next = top;
    while (!atomic_compare_exchange_weak(&top, &n->next, n)) failures++;
    if (i % 2) continue;
    struct node* head = top;
    while (head && !atomic_compare_exchange_weak(&top, &head, head->next)) failures++;
    if (head) hash = hash * 31 + (unsigned long)head->value;
  }
  say("thread %d popped %lx", me, hash);
  return NULL;
}
int main(void) {
  pthread_t threads[4];
  for (intptr_t i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  int left = 0;
  for (struct node* n = top; n; n = n->next) left++;
  CHECK(left == 1000);
  say("%lu failed attempts", (unsigned long)failures);
}
