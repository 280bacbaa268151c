// A bounded queue with two condition variables, two producers, two consumers; who took what is printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static int queue[4], head, tail;
static void put(int value) {
  ZERO(pthread_mutex_lock(&mutex));
  while (tail - head == 4) ZERO(pthread_cond_wait(&not_full, &mutex));
  queue[tail++ & 3] = value;
  ZERO(pthread_cond_signal(&not_empty));
  ZERO(pthread_mutex_unlock(&mutex));
}
static int get(void) {
  ZERO(pthread_mutex_lock(&mutex));
  while (tail == head) ZERO(pthread_cond_wait(&not_empty, &mutex));
  int value = queue[head++ & 3];
  ZERO(pthread_cond_signal(&not_full));
  ZERO(pthread_mutex_unlock(&mutex));
  return value;
}
static void* produce(void* arg) {
  for (int i = 1; i <= 100; i++) put(i);
  return arg;
}
static void* consume(void* arg) {
  long sum = 0, order = 0;
  for (int value; (value = get()) != 0;) sum += value, order = order * 131 + value;
  say("consumer got %ld, order %lx", sum, (unsigned long)order);
  *(long*)arg = sum;
  return NULL;
}
int main(void) {
  pthread_t threads[4];
  long sums[2];
  for (int i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, consume, &sums[i]));
  for (int i = 2; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, produce, NULL));
  for (int i = 2; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  put(0);
  put(0);
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK(sums[0] + sums[1] == 2 * 5050);
}
