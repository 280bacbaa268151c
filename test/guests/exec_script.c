// exec of scripts with #!, with an argument, nested, without a newline; ENOEXEC and EACCES
#include "guest.h"
static int run(const char* path) {
  pid_t child = OK(fork());
  if (child == 0) {
    execl(path, path, "argument", NULL);
    _exit(errno == ENOEXEC ? 201 : errno == EACCES ? 202 : errno == ELOOP ? 203 : 204);
  }
  return WEXITSTATUS(reap(child));
}
int main(void) {
  scratch();
  put_file("a.sh", "#!/bin/sh -e\necho script $0 $1\nexit 5\n");
  put_file("noexec", "just text, no program");
  put_file("empty", "");
  OK(chmod("a.sh", 0755));
  OK(chmod("noexec", 0755));
  OK(chmod("empty", 0755));
  CHECK(run("./a.sh") == 5);
  CHECK(run("./noexec") == 201);
  say("empty file: %d", run("./empty"));
  put_file("plain", "#!/bin/sh\n");
  CHECK(run("./plain") == 202);
  put_file("nested.sh", "#!./a.sh\n");
  OK(chmod("nested.sh", 0755));
  CHECK(run("./nested.sh") == 5);
}
