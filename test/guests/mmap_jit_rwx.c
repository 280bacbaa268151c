// Code in memory that is writable and executable at once is changed while it runs
#include "guest.h"
int main(void) {
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) UNAVAILABLE("writable executable memory");
  // mov eax, nr; syscall; ret: the number is patched between runs
  static const unsigned char template[] = {0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3};
  memcpy(code, template, sizeof template);
  static const struct {
    unsigned char nr;
    const char* name;
  } calls[] = {{39, "getpid"}, {102, "getuid"}, {110, "getppid"}, {186, "gettid"}, {39, "getpid"}};
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < 5; i++) {
      ((volatile unsigned char*)code)[1] = calls[i].nr;
      say("%s: %ld", calls[i].name, ((long (*)(void))(uintptr_t)code)());
    }
  CHECK(((long (*)(void))(uintptr_t)code)() == getpid());
}
