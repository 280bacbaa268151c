// posix_spawn with file actions and attributes; spawnp over PATH; a failing spawn
#include "guest.h"
#include <spawn.h>
extern char** environ;
int main(void) {
  scratch();
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attr;
  ZERO(posix_spawn_file_actions_init(&actions));
  ZERO(posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0600));
  ZERO(posix_spawn_file_actions_adddup2(&actions, 1, 2));
  ZERO(posix_spawnattr_init(&attr));
  sigset_t set;
  sigfillset(&set);
  ZERO(posix_spawnattr_setsigmask(&attr, &set));
  ZERO(posix_spawnattr_setpgroup(&attr, 0));
  ZERO(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP));
  pid_t child;
  char* argv[] = {"sh", "-c", "echo spawned; echo error >&2; exit 4", NULL};
  ZERO(posix_spawn(&child, "/bin/sh", &actions, &attr, argv, environ));
  CHECK(WEXITSTATUS(reap(child)) == 4);
  char text[64] = "";
  int fd = OK(open("out", O_RDONLY));
  CHECK(read(fd, text, 63) == 14);
  say("%d wrote: %s", (int)child, text);
  char* true_argv[] = {"true", NULL};
  ZERO(posix_spawnp(&child, "true", NULL, NULL, true_argv, environ));
  reap_ok(child);
  CHECK(posix_spawn(&child, "/nonexistent", NULL, NULL, true_argv, environ) == ENOENT);
}
