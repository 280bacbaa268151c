// inotify: create, modify, move with cookies, delete, watch removal
#include "guest.h"
#include <sys/inotify.h>
int main(void) {
  scratch();
  int fd = OK(inotify_init1(IN_NONBLOCK));
  int watch = OK(inotify_add_watch(fd, ".", IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE));
  put_file("a", "text");
  OK(rename("a", "b"));
  OK(unlink("b"));
  char buffer[4096] __attribute__((aligned(8)));
  ssize_t n = OK(read(fd, buffer, sizeof buffer));
  int count = 0;
  for (char* p = buffer; p < buffer + n; count++) {
    struct inotify_event* event = (struct inotify_event*)p;
    say("mask %#x cookie %u name %s", event->mask, event->cookie, event->len ? event->name : "");
    p += sizeof *event + event->len;
  }
  CHECK(count >= 5);
  OK(inotify_rm_watch(fd, watch));
  FAILS(EINVAL, inotify_rm_watch(fd, watch));
  FAILS(ENOENT, inotify_add_watch(fd, "nothing", IN_ALL_EVENTS));
}
