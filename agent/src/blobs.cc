// Files of a replay: see blobs.h.
#include "blobs.h"

#include "pids.h"
#include "report.h"

namespace understudy {

// What a FILE event declares must be known to every process of the group, whenever it was forked: it is kept in the
// scratch directory, as a link to the blob's file and a note of size, device and inode.
namespace {
char g_path[abi::kPathMax + 64];

u32 append_hex(u32 at, u64 v) {
  for (int shift = 60; shift >= 0; shift -= 4) g_path[at++] = "0123456789abcdef"[v >> shift & 15];
  return at;
}
u32 scratch_path(const char* kind) {
  u32 n = 0;
  for (const char* d = control().scratch_dir; *d && n < sizeof g_path - 60; ++d) g_path[n++] = *d;
  g_path[n++] = '/';
  for (const char* d = kind; *d; ++d) g_path[n++] = *d;
  return n;
}
const char* numbered_path(const char* kind, u64 number) {
  g_path[append_hex(scratch_path(kind), number)] = 0;
  return g_path;
}

// Processes of the group may be different users; outside, the directory above keeps others away.
void open_to_all(i64 fd) {
  if (true_processes()) sys(91 /* fchmod */, fd, 0666);
}

void name_scratch(u64 dev, u64 ino) { g_path[append_hex(append_hex(scratch_path("file-"), dev), ino)] = 0; }

struct BlobNote {
  u64 size, dev, ino;
};
constexpr u64 kSysSymlink = 88, kOpenWrite = 01 | 0100 | 01000, kCloexec = 02000000;
}  // namespace

void declare_blob(Event& e) {
  u64 index = (u64)e.integer();
  const u8* sha;
  u32 n;
  e.bin(sha, n);
  BlobNote note;
  note.size = (u64)e.integer();
  if (e.left && e.reader.skip()) --e.left;  // path
  note.dev = (u64)e.integer();
  note.ino = (u64)e.integer();
  if (n != 32) e.malformed();
  copy_bytes((void*)abi::kRpcAddr, sha, 32);
  if (rpc(abi::kRpcMapBlob, index, 0, 0, 0, 0, 32) != 0)
    report_outcome_text(abi::kAgentFault, "a file that the journal refers to is missing among its blobs");
  char* target = (char*)abi::kRpcAddr;
  target[control().rpc.payload_len] = 0;
  sys(kSysSymlink, target, numbered_path("blob-", index));
  i64 fd = sys(kSysOpen, numbered_path("note-", index), kOpenWrite | kCloexec, 0600);
  open_to_all(fd);
  i64 written = sys(kSysWrite, fd, &note, sizeof note);
  sys(kSysClose, fd);
  if (written != sizeof note) report_outcome_text(abi::kAgentFault, "the replay's scratch directory cannot be written");
}

i32 open_blob(u64 index) {
  i64 fd = sys(kSysOpen, numbered_path("blob-", index), kCloexec, 0);
  if (is_error(fd))
    report_outcome_text(abi::kAgentFault, "a mapping refers to a file whose contents the journal does not have");
  return (i32)fd;
}

i32 open_scratch(u64 blob) {
  i32 from = open_blob(blob);
  BlobNote note{};
  i64 noted = sys(kSysOpen, numbered_path("note-", blob), kCloexec, 0);
  i64 r = sys(kSysRead, noted, &note, sizeof note);
  sys(kSysClose, noted);
  if (r != sizeof note) report_outcome_text(abi::kAgentFault, "the replay's scratch directory was changed");
  name_scratch(note.dev, note.ino);
  i64 fd = sys(kSysOpen, g_path, 02000000 | 2 | 0100 | 0200 /* O_RDWR|O_CREAT|O_EXCL */, 0600);
  if (!is_error(fd)) {
    open_to_all(fd);
    // First mapping of this file in the group: the scratch copy starts with what the file held then.
    u64 left = note.size;
    while (left) {
      r = sys(40 /* sendfile */, fd, from, 0, left);
      if (r <= 0) break;
      left -= (u64)r;
    }
  } else {
    fd = sys(kSysOpen, g_path, 02000000 | 2, 0);
  }
  if (is_error(fd)) report_outcome_text(abi::kAgentFault, "no scratch copy for a shared file mapping");
  // A later mapping of a file that has grown.
  u64 now = (u64)sys(kSysLseek, fd, 0, 2);
  if (now < note.size) sys(kSysFtruncate, fd, note.size);
  sys(kSysClose, from);
  return (i32)fd;
}

i32 open_scratch_if_there(u64 dev, u64 ino) {
  name_scratch(dev, ino);
  return (i32)sys(kSysOpen, g_path, 02000000 | 2, 0);
}

i32 open_scratch_segment(u64 id, u64 size) {
  u32 n = append_hex(scratch_path("shm-"), id);
  g_path[n] = 0;
  i64 fd = sys(kSysOpen, g_path, 02000000 | 2 | 0100, 0600);
  if (is_error(fd)) report_outcome_text(abi::kAgentFault, "no scratch copy for a shared memory segment");
  open_to_all(fd);
  if ((u64)sys(kSysLseek, fd, 0, 2) < size) sys(kSysFtruncate, fd, size);
  return (i32)fd;
}

}  // namespace understudy
