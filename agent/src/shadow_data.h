// The data that go through a hot replica's descriptors: what the guest writes is written into the replica's own pipes, sockets and
// files, what it reads is taken out of them. See shadow.h; this is its part, and nobody else's.
//
// Invariants:
//  - Nothing here waits. In a pipe or socket of the replica there may be more than there was in the primary's, whose reader takes its
//    data out before the journal says so: what has no room makes the pipe, or the socket's buffer, larger.
#pragma once
#include "descriptor.h"
#include "report.h"

namespace understudy {

inline constexpr char
    kPlaceholder[] = "understudy:";  // memfd name of a placeholder: then the open flags in hex, a colon, the path
inline constexpr u64 kDontwait = 0x40, kPeek = 2;

[[noreturn]] inline void storage_differs(Thread* t) {
  diverge(t, nullptr, abi::kKindPlace,
          "the replica's own storage or descriptors give another result than the primary's did");
}
inline void must_equal(Thread* t, i64 here, i64 there) {
  if (US_UNLIKELY(here != there)) storage_differs(t);
}
inline i64 make(const Call& c) {
  return raw_syscall(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]);
}
bool readable(u32 fd);
bool is_placeholder(u32 fd);

void carry_out(Thread* t, const Call& c,
               i64 ret);  // a call that carries data, behind the parts that have been handed over
void bring_in(Thread* t, const Call& c, i64 ret);
void move_again(Thread* t, const Call& c, i64 ret);  // sendfile, splice, tee, vmsplice
// Tells what `count` bytes of the file, from the position on, are sent to the stream; returns how many there are.
u64 tell_file(u64 cookie, u32 in, i64 from, u64 count);
bool ready(u32 fd, int16_t what);  // poll's POLLIN, POLLOUT
bool grow_pipe(u32 fd);
void drain_pipe(Thread* t, u32 fd, u64 left);
// The buffer of a socket counts only while something is sent. SO_SNDBUFFORCE needs a privilege that the guest may not have; without it
// the administrator's limit remains.
class RoomySocket {
 public:
  explicit RoomySocket(u32 fd);
  ~RoomySocket();

 private:
  void set(i32 half);
  u32 fd_;
  i32 before_ = 0;
};
[[noreturn]] void no_room(Thread* t, bool socket);
void tell_sent(void* cookie, void* addr, u64 len);  // a visitor of data that a stream is sent

}  // namespace understudy
