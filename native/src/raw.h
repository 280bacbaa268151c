// A system call and nothing else, for code between clone and exec that runs on its parent's memory.
//
// Must not: touch errno or anything else of thread-local storage; it is the parent's.
#pragma once

namespace understudy::host {

inline long raw(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}

}  // namespace understudy::host
