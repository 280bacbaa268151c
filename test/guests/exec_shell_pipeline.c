// A pipeline of three programs built by hand with fork, dup2 and exec
#include "guest.h"
static pid_t start(int in, int out, char* const* argv, const int* all) {
  pid_t child = OK(fork());
  if (child == 0) {
    OK(dup2(in, 0));
    OK(dup2(out, 1));
    for (int i = 0; i < 4; i++) close(all[i]);
    execvp(argv[0], argv);
    _exit(127);
  }
  return child;
}
int main(void) {
  int all[4];
  OK(pipe(all));
  OK(pipe(all + 2));
  char *first[] = {"printf", "b\\nc\\na\\nb\\n", NULL}, *second[] = {"sort", NULL}, *third[] = {"uniq", "-c", NULL};
  pid_t children[3] = {start(0, all[1], first, all), start(all[0], all[3], second, all), start(all[2], 1, third, all)};
  for (int i = 0; i < 4; i++) OK(close(all[i]));
  for (int i = 0; i < 3; i++) reap_ok(children[i]);
}
