// Kernel AIO: io_setup, io_submit, io_getevents, io_destroy
#include "guest.h"
#include <linux/aio_abi.h>
int main(void) {
  scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, 8, &context) < 0) UNAVAILABLE("kernel AIO");
  char out[4096] = "through kernel AIO", in[4096] = "";
  struct iocb write_it = {.aio_data = 1,
                          .aio_lio_opcode = IOCB_CMD_PWRITE,
                          .aio_fildes = (uint32_t)fd,
                          .aio_buf = (uintptr_t)out,
                          .aio_nbytes = 4096};
  struct iocb read_it = {.aio_data = 2,
                         .aio_lio_opcode = IOCB_CMD_PREAD,
                         .aio_fildes = (uint32_t)fd,
                         .aio_buf = (uintptr_t)in,
                         .aio_nbytes = 4096};
  struct iocb* list[1] = {&write_it};
  struct io_event events[4];
  CHECK(syscall(SYS_io_submit, context, 1, list) == 1);
  CHECK(syscall(SYS_io_getevents, context, 1, 4, events, NULL) == 1 && events[0].data == 1 && events[0].res == 4096);
  list[0] = &read_it;
  CHECK(syscall(SYS_io_submit, context, 1, list) == 1);
  CHECK(syscall(SYS_io_getevents, context, 1, 4, events, NULL) == 1 && events[0].data == 2);
  CHECK(strcmp(in, out) == 0);
  OK((int)syscall(SYS_io_destroy, context));
  say("%s", in);
}
