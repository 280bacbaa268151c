// What the program finds at its start: argument count, stack alignment, auxiliary vector, registers of main
// args: one two "three"
#include "guest.h"
extern char** environ;
int main(int argc, char** argv) {
  CHECK(argc == 4 && argv[argc] == NULL);
  say("argv %p envp %p", (void*)argv, (void*)environ);
  for (int i = 0; i < argc; i++) say("%d at %p %s", i, (void*)argv[i], i ? argv[i] : "");
  say("stack %p heap %p text %p libc %p", (void*)&argc, sbrk(0), (void*)&main, (void*)&printf);
}
