// exec with an empty environment, and with a NULL one
#include "guest.h"
extern char** environ;
int main(int argc, char** argv) {
  if (argc == 1) {
    char *args[] = {argv[0], "1", NULL}, *env[] = {NULL};
    OK(execve("/proc/self/exe", args, env));
  }
  CHECK(environ[0] == NULL && getenv("PATH") == NULL);
  if (argv[1][0] == '1') {
    char* args[] = {argv[0], "2", NULL};
    OK((int)syscall(SYS_execve, "/proc/self/exe", args, NULL));
  }
  say("environment is empty");
}
