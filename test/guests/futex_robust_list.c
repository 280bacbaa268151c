// set_robust_list and get_robust_list by hand; set_tid_address
#include "guest.h"
#include <linux/futex.h>
int main(void) {
  struct robust_list_head *head, mine = {{&mine.list}, 0, NULL};
  size_t size;
  OK((int)syscall(SYS_get_robust_list, 0, &head, &size));
  CHECK(size == sizeof mine);
  say("glibc's list at %p", (void*)head);
  struct robust_list_head* old = head;
  OK((int)syscall(SYS_set_robust_list, &mine, sizeof mine));
  OK((int)syscall(SYS_get_robust_list, 0, &head, &size));
  CHECK(head == &mine);
  FAILS(EINVAL, syscall(SYS_set_robust_list, &mine, 5));
  OK((int)syscall(SYS_set_robust_list, old, sizeof mine));
  static int where;
  CHECK(syscall(SYS_set_tid_address, &where) == gettid());
  say("tid %d", (int)gettid());
}
