// What a descriptor of the guest refers to, as far as a pair has to know: remembered per process, asked of the kernel once.
//
// Invariants:
//  - The answer is forgotten whenever the number may come to mean something else (close, dup2, exec).
//  - A pipe that the guest made is internal; one that it was started with leads outside.
//
// Must not: be asked about descriptors of a plain replay, which has none.
#pragma once
#include "thread.h"

namespace understudy {

enum FdKind : u8 {
  kFdUnknown = 0,
  kFdOther,  // directories, devices without memory, namespaces ...
  kFdFile,
  kFdPipe,     // made by the guest: both ends are in the group
  kFdFifo,     // any other pipe: named, or inherited; somebody else may read what is written
  kFdOutside,  // terminal: whatever is written is seen by somebody else
  kFdTcp,
  kFdDatagram,  // UDP and raw sockets
  kFdUnix,      // a stream
  kFdMessages,  // a unix socket of messages: datagrams, or in sequence
  kFdCounter,   // eventfd, timerfd, signalfd, inotify, epoll: anonymous inodes
};

FdKind fd_kind(Thread* t, u32 fd);
u64 fd_cookie(Thread* t, u32 fd);                  // SO_COOKIE; 0: not a socket
void remember_fd(Thread* t, u32 fd, FdKind kind);  // kFdUnknown: forget
void forget_all_fds(Thread* t);

// A call of the guest that may change what numbers mean, after it succeeded.
void follow_fd_kinds(Thread* t, const Call& c, i64 ret);

}  // namespace understudy
