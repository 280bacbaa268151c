// userfaultfd is probed; where it is granted a thread answers one fault
// link: -pthread
#include "guest.h"
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
static int fd;
static char* area;
static void* answer(void* arg) {
  struct uffd_msg message;
  CHECK(read(fd, &message, sizeof message) == sizeof message && message.event == UFFD_EVENT_PAGEFAULT);
  char* page = arg;
  strcpy(page, "supplied");
  struct uffdio_copy copy = {.dst = message.arg.pagefault.address & ~4095ull, .src = (uintptr_t)page, .len = 4096};
  OK(ioctl(fd, UFFDIO_COPY, &copy));
  return NULL;
}
int main(void) {
  fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  if (fd < 0) UNAVAILABLE("userfaultfd");
  struct uffdio_api api = {.api = UFFD_API};
  OK(ioctl(fd, UFFDIO_API, &api));
  area = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char* page = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  struct uffdio_register range = {.range = {(uintptr_t)area, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  OK(ioctl(fd, UFFDIO_REGISTER, &range));
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, answer, page));
  sleep_ms(2);
  CHECK(strcmp(area, "supplied") == 0);
  ZERO(pthread_join(thread, NULL));
  say("fault answered");
}
