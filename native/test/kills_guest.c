// A guest for replica_test: children that are killed as soon as they are made, so that some never come up, others when the parent has
// already gone on. In a replica their numbers, and who is alive, must not depend on which of them had come how far.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  const char* path = getenv("OUT");
  int fd = path == NULL ? 1 : open(path, O_CREAT | O_WRONLY | O_APPEND, 0666);
  int killed = 0, counted = 0;
  for (int i = 0; i < 200; i++) {
    pid_t child = fork();
    if (child == 0)
      for (;;) pause();
    // More or less late, so that it is met at every step of its beginning.
    for (volatile int k = 0; k < i * 3000; k++) {}
    kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {}
    killed += WIFSIGNALED(status);
    // Parent and child have to take turns: that ends only where both are known to live.
    int up[2];
    if (i % 10 != 0 || pipe(up) != 0) continue;
    child = fork();
    if (child == 0) _exit(write(up[1], "x", 1) == 1 ? 3 : 4);
    char c;
    if (read(up[0], &c, 1) == 1 && waitpid(child, &status, 0) == child) counted += WEXITSTATUS(status) == 3;
    close(up[0]);
    close(up[1]);
  }
  char out[64];
  int length = snprintf(out, sizeof out, "%d killed, %d ended\n", killed, counted);
  return write(fd, out, (size_t)length) == length ? 5 : 1;
}
