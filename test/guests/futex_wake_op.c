// FUTEX_WAKE_OP changes the second word and wakes by its old value
#include "guest.h"
#include <linux/futex.h>
int main(void) {
  static uint32_t first, second = 5;
  long woken = OK(
      syscall(SYS_futex, &first, FUTEX_WAKE_OP, 1, (void*)1, &second, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
  CHECK(woken == 0 && second == 8);
  OK(syscall(SYS_futex, &first, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &second,
             FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_GT, 0)));
  CHECK(second == 1);
  OK(syscall(SYS_futex, &first, FUTEX_WAKE_OP, 1, (void*)1, &second, FUTEX_OP(FUTEX_OP_OR, 6, FUTEX_OP_CMP_LT, 0)));
  CHECK(second == 7);
  OK(syscall(SYS_futex, &first, FUTEX_WAKE_OP, 1, (void*)1, &second, FUTEX_OP(FUTEX_OP_XOR, 5, FUTEX_OP_CMP_NE, 0)));
  CHECK(second == 2);
  OK(syscall(SYS_futex, &first, FUTEX_WAKE_OP, 1, (void*)1, &second, FUTEX_OP(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_NE, 0)));
  CHECK(second == 0);
  say("word is %u", second);
}
