// membarrier: query, register, private expedited
#include "guest.h"
#include <linux/membarrier.h>
int main(void) {
  long mask = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (mask < 0) UNAVAILABLE("membarrier");
  say("commands %#lx", mask);
  FAILS(EPERM, syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  OK((int)syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
  OK((int)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  OK((int)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
}
