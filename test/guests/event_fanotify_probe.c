// fanotify is probed, refused or not
#include "guest.h"
#include <sys/fanotify.h>
int main(void) {
  int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
  if (fd < 0) UNAVAILABLE("fanotify");
  char buffer[4096];
  FAILS(EAGAIN, read(fd, buffer, sizeof buffer));
  say("fanotify descriptor %d", fd);
}
