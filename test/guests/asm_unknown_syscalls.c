// Numbers that no kernel knows give ENOSYS; x32 and negative numbers too
#include "guest.h"
int main(void) {
  static const long numbers[] = {350, 400, 511, 600, 1000, 100000, 0x7fffffff, -1, -2, 0x40000027};
  for (int i = 0; i < 10; i++) {
    errno = 0;
    long result = syscall(numbers[i], 1, 2, 3, 4, 5, 6);
    CHECK(result == -1 && errno == ENOSYS);
  }
  say("ten unknown calls");
}
