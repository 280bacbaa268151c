// See store.h.
#include "store.h"

#include "blobs.h"
#include "image.h"

namespace understudy {

namespace {

enum : u32 { kSysWritev = 20, kSysPwritev = 296, kSysPwritev2 = 328 };
constexpr u64 kPiece = 128 << 10;

struct Stat {
  u64 dev, ino, nlink;
  u32 mode, uid, gid, pad;
  u64 rdev;
  i64 size;
  u64 rest[11];
};
static_assert(sizeof(Stat) == 144);

struct Place {
  u64 dev, ino, offset;
};

void append_piece(void* self, void* addr, u64 len) {
  Place& place = *(Place*)self;
  const u8* from = (const u8*)addr;
  while (len) {
    u64 n = len < kPiece ? len : kPiece;
    u8* p = ring_reserve(kLargeEvent);
    u8* q = put_array(p, 5);
    q = put_int(q, kEvStore);
    q = put_uint(q, place.dev);
    q = put_uint(q, place.ino);
    q = put_uint(q, place.offset);
    q = put_bin_head(q, (u32)n);
    copy_bytes(q, from, n);
    ring_commit(p, q + n);
    place.offset += n;
    from += n;
    len -= n;
  }
}

// An empty piece says: the file now ends at this offset.
void append_size(const Place& place) {
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 5);
  q = put_int(q, kEvStore);
  q = put_uint(q, place.dev);
  q = put_uint(q, place.ino);
  q = put_uint(q, place.offset);
  q = put_bin_head(q, 0);
  ring_commit(p, q);
}

}  // namespace

void note_shared_file(u64 dev, u64 ino) {
  abi::Control& c = control();
  constexpr u32 kMax = sizeof c.shared_files / sizeof c.shared_files[0];
  for (u32 i = 0; i < c.shared_file_count && i < kMax; ++i)
    if (c.shared_files[i].dev == dev && c.shared_files[i].ino == ino) return;
  // The oldest gives way when there are too many: programs map a few files shared, or map many and write to none of them.
  u32 at = c.shared_file_count % kMax;
  c.shared_files[at].dev = dev;
  c.shared_files[at].ino = ino;
  c.shared_file_count++;
}

void append_store(Thread* t, const Call& c, i64 ret) {
  abi::Control& ctl = control();
  bool resize = c.nr == kSysFtruncate || c.nr == kSysFallocate;
  bool at_offset = c.nr == kSysPwrite || c.nr == kSysPwritev || (c.nr == kSysPwritev2 && (i64)c.args[3] != -1);
  bool at_position = c.nr == kSysWrite || c.nr == kSysWritev || (c.nr == kSysPwritev2 && !at_offset);
  if (!resize && !at_offset && !at_position) return;
  if (is_error(ret) || (!resize && ret == 0)) return;
  u32 fd = (u32)c.args[0];
  if (!may_write_shared(t, fd)) return;
  Stat st;
  if (sys(kSysFstat, fd, &st) != 0) return;
  constexpr u32 kMax = sizeof ctl.shared_files / sizeof ctl.shared_files[0];
  bool found = false;
  for (u32 i = 0; i < ctl.shared_file_count && i < kMax; ++i)
    if (ctl.shared_files[i].dev == st.dev && ctl.shared_files[i].ino == st.ino) found = true;
  if (!found) {
    Process& process = *t->process;
    if (process.shared_generation != ctl.shared_file_count) {
      for (u8& flags : process.fd_flags) flags &= (u8)~kFdUnshared;
      process.shared_generation = ctl.shared_file_count;
    }
    if (fd < kFdFlags) process.fd_flags[fd] |= kFdUnshared;
    return;
  }
  Place place{st.dev, st.ino, (u64)st.size};
  if (resize) return append_size(place);
  place.offset = at_offset ? c.args[3] : (u64)sys(kSysLseek, fd, 0, 1) - (u64)ret;
  visit_data(c, ret, Visitor{append_piece, &place});
}

void apply_store(Event& e) {
  u64 dev = (u64)e.integer(), ino = (u64)e.integer(), offset = (u64)e.integer();
  const u8* from;
  u32 n;
  e.bin(from, n);
  i32 fd = open_scratch_if_there(dev, ino);
  if (fd >= 0) {
    if (n) sys(kSysPwrite, fd, from, n, offset);
    else sys(kSysFtruncate, fd, offset);
    sys(kSysClose, fd);
  }
  consume_event(e);
}

}  // namespace understudy
