// A small process that outlives this one by a few seconds, for one purpose: packets that wait in the gate's queues when this process is
// killed are sent on to the backup, and not dropped with the queues.
//
// Their senders would repeat them, but a client that waits for an answer repeats after 200 ms at the earliest; all of them had come in
// between the kill and the moment when the kernel has taken the process apart, which on a loaded host is milliseconds.
//
// Invariants:
//  - It holds the queues' sockets and the end of a pipe, nothing else of this process; it learns of its death by the pipe.
//  - It lets nothing in or out: verdicts are "again, with the mark that leads to the backup" and "drop".
//  - It has a door, by which a daemon that is started meanwhile tells it to go: a queue has one owner.
//  - It is a copy of a process with many threads, so it makes system calls and nothing else: no allocation, no locks.
//
// Must not: be needed. Without it (killed as well) the queues vanish and the next rule sends on what comes from then on.
#pragma once
#include "net/packet_queue.h"

namespace understudy::host {

class QueueKeeper {
 public:
  // Throws HostError NET.
  QueueKeeper(const PacketQueue& in, const PacketQueue& out);
  ~QueueKeeper();  // ends it, silently
  // Ends what an earlier process has left at these queues. Returns when the queues are free, or after a second.
  static void dismiss(uint16_t queue_in);
  QueueKeeper(const QueueKeeper&) = delete;
  QueueKeeper& operator=(const QueueKeeper&) = delete;

 private:
  UniqueFd pipe_;
  pid_t pid_ = -1;
};

}  // namespace understudy::host
