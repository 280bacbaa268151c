// exec with a hundred kilobytes of arguments and environment
#include "guest.h"
int main(int argc, char** argv) {
  if (argc > 1) {
    unsigned long hash = 0;
    for (int i = 1; i < argc; i++)
      for (char* c = argv[i]; *c; c++) hash = hash * 31 + (unsigned char)*c;
    say("%d arguments, hash %lx, stack near %p", argc, hash, (void*)&argc);
    return 0;
  }
  static char text[1000][100];
  static char *args[1002], *env[501];
  args[0] = argv[0];
  for (int i = 0; i < 1000; i++) {
    memset(text[i], 'a' + i % 26, 99);
    args[i + 1] = text[i];
    if (i < 500) env[i] = text[i];
  }
  OK(execve("/proc/self/exe", args, env));
}
