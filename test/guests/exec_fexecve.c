// fexecve and execveat: by descriptor, by directory and name, of a memfd
#include "guest.h"
extern char** environ;
int main(int argc, char** argv) {
  if (argc == 2) {
    say("started by %s as %d", argv[1], (int)getpid());
    return 0;
  }
  int self = OK(open("/proc/self/exe", O_RDONLY));
  pid_t child = OK(fork());
  if (child == 0) {
    fexecve(self, (char*[]){argv[0], "fexecve", NULL}, environ);
    _exit(1);
  }
  reap_ok(child);
  child = OK(fork());
  if (child == 0) {
    syscall(SYS_execveat, self, "", (char*[]){argv[0], "execveat", NULL}, environ, AT_EMPTY_PATH);
    _exit(1);
  }
  reap_ok(child);
  int directory = OK(open("/bin", O_PATH | O_DIRECTORY));
  child = OK(fork());
  if (child == 0) {
    syscall(SYS_execveat, directory, "true", (char*[]){"true", NULL}, environ, 0);
    _exit(1);
  }
  reap_ok(child);
  int memory = OK(memfd_create("program", 0));
  char buffer[65536];
  for (ssize_t n; (n = OK(read(self, buffer, sizeof buffer))) > 0;) CHECK(write(memory, buffer, (size_t)n) == n);
  child = OK(fork());
  if (child == 0) {
    fexecve(memory, (char*[]){argv[0], "a memory file", NULL}, environ);
    _exit(1);
  }
  reap_ok(child);
}
