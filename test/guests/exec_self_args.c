// exec of itself with arguments and environment, several times
#include "guest.h"
extern char** environ;
int main(int argc, char** argv) {
  int round = argc > 1 ? atoi(argv[1]) : 0;
  if (round < 4) {
    char number[16], variable[32];
    snprintf(number, sizeof number, "%d", round + 1);
    snprintf(variable, sizeof variable, "ROUND=%d", round + 1);
    char* args[] = {argv[0], number, "an argument with spaces", "", NULL};
    char* env[] = {variable, "PATH=/usr/bin:/bin", NULL};
    say("round %d in %d", round, (int)getpid());
    OK(execve("/proc/self/exe", args, env));
  }
  CHECK(argc == 4 && strcmp(argv[2], "an argument with spaces") == 0 && argv[3][0] == 0);
  CHECK(strcmp(getenv("ROUND"), "4") == 0 && environ[2] == NULL);
  say("arrived");
}
