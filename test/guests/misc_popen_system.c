// popen for reading and writing, system with its status
#include "guest.h"
int main(void) {
  FILE* f = popen("echo from the shell; echo $((6 * 7)); echo $$", "r");
  CHECK(f != NULL);
  char line[64];
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    say("read: %s", line);
  }
  CHECK(pclose(f) == 0);
  f = popen("tr a-z A-Z", "w");
  CHECK(f && fputs("upper case\n", f) >= 0);
  CHECK(pclose(f) == 0);
  int status = system("exit 9");
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
  CHECK(system(NULL) != 0);
  status = system("kill -TERM $$");
  say("status %#x", status);
}
