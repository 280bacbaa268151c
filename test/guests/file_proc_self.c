// /proc/self: status, stat, cmdline, exe, comm, fd listing, limits are read
#include "guest.h"
#include <dirent.h>
static void show(const char* path) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    say("%s: %s", path, strerror(errno));
    return;
  }
  char text[1500];
  ssize_t n = read(fd, text, sizeof text - 1);
  text[n > 0 ? n : 0] = 0;
  say("%s:\n%s", path, text);
  close(fd);
}
int main(void) {
  static const char* const paths[] = {"/proc/self/status", "/proc/self/stat", "/proc/self/comm",  "/proc/self/statm",
                                      "/proc/self/limits", "/proc/self/io",   "/proc/self/wchan", "/proc/self/cgroup"};
  for (int i = 0; i < 8; i++) show(paths[i]);
  char link[512] = "";
  OK((int)readlink("/proc/self/exe", link, 511));
  CHECK(strstr(link, "file_proc_self") != NULL);
  say("%s", link);
  DIR* dir = opendir("/proc/self/fd");
  CHECK(dir != NULL);
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) say("descriptor %s", entry->d_name);
  closedir(dir);
}
