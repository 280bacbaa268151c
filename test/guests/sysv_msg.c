// SysV message queues: types, order, E2BIG, ENOMSG, IPC_STAT
#include "guest.h"
#include <sys/msg.h>
struct message {
  long type;
  char text[32];
};
int main(void) {
  int id = msgget(IPC_PRIVATE, 0600);
  if (id < 0) UNAVAILABLE("msgget");
  pid_t child = OK(fork());
  if (child == 0) {
    for (long i = 1; i <= 4; i++) {
      struct message m = {i, ""};
      snprintf(m.text, sizeof m.text, "message %ld", i);
      OK(msgsnd(id, &m, sizeof m.text, 0));
    }
    _exit(0);
  }
  struct message m;
  CHECK(msgrcv(id, &m, sizeof m.text, 3, 0) == sizeof m.text && m.type == 3);
  reap_ok(child);
  CHECK(msgrcv(id, &m, sizeof m.text, -2, 0) > 0 && m.type == 1);
  FAILS(E2BIG, msgrcv(id, &m, 4, 0, 0));
  CHECK(msgrcv(id, &m, 4, 0, MSG_NOERROR) == 4 && m.type == 2);
  FAILS(ENOMSG, msgrcv(id, &m, 32, 99, IPC_NOWAIT));
  struct msqid_ds info;
  OK(msgctl(id, IPC_STAT, &info));
  say("%lu left, last sent by %d at %ld", (unsigned long)info.msg_qnum, (int)info.msg_lspid, (long)info.msg_stime);
  OK(msgctl(id, IPC_RMID, NULL));
}
