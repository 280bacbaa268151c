// See group_state.h.
#include "group_state.h"

#include <algorithm>

#include "packer.h"

namespace understudy::host::checkpoint {
namespace {

constexpr char kGroup[] = "group", kProcesses[] = "processes", kThreads[] = "threads", kBlocks[] = "blocks",
               kBlobs[] = "blobs", kShared[] = "shared";
constexpr uint64_t kListMax = 1 << 20;

// Rows of a section, each an array whose first `fields` elements are known here.
class Rows {
 public:
  explicit Rows(std::string_view data) : reader_(data) {}
  uint64_t begin() {
    const uint64_t n = reader_.array();
    return reader_.ok() && n <= kListMax ? n : (ok_ = false, 0);
  }
  void row(uint64_t fields) {
    left_ = reader_.array();
    if (left_ < fields) ok_ = false;
    left_ = ok_ ? left_ - fields : 0;
  }
  uint64_t number() { return uint64_t(reader_.integer()); }
  std::string bytes() { return std::string(reader_.bytes()); }
  // A field that older writers do not have.
  uint64_t appended_number() {
    if (!ok() || left_ == 0) return 0;
    left_--;
    return number();
  }
  // What a newer writer has appended.
  void end_row() {
    if (ok()) reader_.skip_appended(left_, 0);
  }
  bool ok() const { return ok_ && reader_.ok(); }

 private:
  MsgpackReader reader_;
  uint64_t left_ = 0;
  bool ok_ = true;
};

bool is_block(uint64_t address) {
  return address >= abi::kThreadsAddr && address < abi::kRestoreAddr && address % 4096 == 0;
}

}  // namespace

std::vector<Section> encode_group(const GroupState& g) {
  Packer group, processes, threads, blocks, blobs, shared;
  group.array(1).array(9).unsigned_int(g.abi_version).string(g.agent_sha).signed_int(g.guest_fd);
  group.unsigned_int(g.last_gtid).unsigned_int(g.next_gtid).unsigned_int(g.next_process).unsigned_int(g.flags);
  group.array(g.clocks.size());
  for (uint64_t clock : g.clocks) group.unsigned_int(clock);
  group.unsigned_int(g.monotonic_ns);
  processes.array(g.processes.size());
  for (const ProcessState& p : g.processes)
    processes.array(13)
        .unsigned_int(p.slot)
        .unsigned_int(p.space)
        .signed_int(p.pid)
        .signed_int(p.parent)
        .unsigned_int(p.process_block)
        .unsigned_int(p.stack_limit)
        .unsigned_int(p.stack_begin)
        .binary(p.kept)
        .binary(p.fd_emit)
        .signed_int(p.session)
        .signed_int(p.group)
        .unsigned_int(p.ended ? 1 : 0)
        .unsigned_int(p.end_status);
  threads.array(g.threads.size());
  for (const ThreadState& t : g.threads)
    threads.array(8)
        .unsigned_int(t.gtid)
        .unsigned_int(t.process)
        .signed_int(t.tid)
        .unsigned_int(t.resume)
        .unsigned_int(t.events)
        .unsigned_int(t.block)
        .unsigned_int(t.fs_base)
        .binary(t.xsave);
  blocks.array(g.blocks.size());
  for (const BlockState& b : g.blocks) blocks.array(3).unsigned_int(b.process).unsigned_int(b.address).binary(b.bytes);
  blobs.array(g.blobs.size());
  for (const BlobState& b : g.blobs)
    blobs.array(6)
        .unsigned_int(b.index)
        .unsigned_int(b.size)
        .unsigned_int(b.dev)
        .unsigned_int(b.ino)
        .string(b.sha)
        .string(b.path);
  shared.array(g.shared.size());
  for (const SharedState& s : g.shared)
    shared.array(9)
        .unsigned_int(s.space)
        .unsigned_int(s.kind)
        .unsigned_int(s.dev)
        .unsigned_int(s.ino)
        .unsigned_int(s.bytes)
        .binary(s.path)
        .unsigned_int(s.mode)
        .unsigned_int(s.uid)
        .unsigned_int(s.gid);
  return {{kGroup, group.take()},   {kProcesses, processes.take()}, {kThreads, threads.take()},
          {kBlocks, blocks.take()}, {kBlobs, blobs.take()},         {kShared, shared.take()}};
}

std::string decode_group(const std::vector<Section>& sections, GroupState* out) {
  auto find = [&](const char* name) -> const std::string* {
    for (const Section& s : sections)
      if (s.name == name) return &s.data;
    return nullptr;
  };
  for (const char* name : {kGroup, kProcesses, kThreads, kBlocks, kBlobs, kShared})
    if (find(name) == nullptr) return std::string("the section \"") + name + "\" is missing";
  GroupState& g = *out;
  {
    Rows r(*find(kGroup));
    if (r.begin() != 1) return "the section \"group\" is malformed";
    r.row(8);
    g.abi_version = uint32_t(r.number());
    g.agent_sha = r.bytes();
    g.guest_fd = int32_t(r.number());
    g.last_gtid = uint32_t(r.number());
    g.next_gtid = uint32_t(r.number());
    g.next_process = uint32_t(r.number());
    g.flags = uint32_t(r.number());
    for (uint64_t n = r.begin(); n > 0 && r.ok(); n--) g.clocks.push_back(r.number());
    g.monotonic_ns = r.appended_number();
    if (!r.ok() || g.clocks.size() > abi::kClocks) return "the section \"group\" is malformed";
  }
  auto rows = [&](const char* name, uint64_t fields, auto each) {
    Rows r(*find(name));
    for (uint64_t n = r.begin(); n > 0 && r.ok(); n--) {
      r.row(fields);
      each(r);
      r.end_row();
    }
    return r.ok();
  };
  bool ok = rows(kProcesses, 13, [&](Rows& r) {
    ProcessState& p = g.processes.emplace_back();
    p.slot = uint32_t(r.number());
    p.space = uint32_t(r.number());
    p.pid = int32_t(r.number());
    p.parent = int32_t(r.number());
    p.process_block = r.number();
    p.stack_limit = r.number();
    p.stack_begin = r.number();
    p.kept = r.bytes();
    p.fd_emit = r.bytes();
    p.session = int32_t(r.number());
    p.group = int32_t(r.number());
    p.ended = r.number() != 0;
    p.end_status = uint32_t(r.number());
  });
  ok = ok && rows(kThreads, 8, [&](Rows& r) {
         ThreadState& t = g.threads.emplace_back();
         t.gtid = uint32_t(r.number());
         t.process = uint32_t(r.number());
         t.tid = int32_t(r.number());
         t.resume = uint32_t(r.number());
         t.events = r.number();
         t.block = r.number();
         t.fs_base = r.number();
         t.xsave = r.bytes();
       });
  ok = ok && rows(kBlocks, 3, [&](Rows& r) {
         BlockState& b = g.blocks.emplace_back();
         b.process = uint32_t(r.number());
         b.address = r.number();
         b.bytes = r.bytes();
       });
  ok = ok && rows(kBlobs, 6, [&](Rows& r) {
         BlobState& b = g.blobs.emplace_back();
         b.index = r.number();
         b.size = r.number();
         b.dev = r.number();
         b.ino = r.number();
         b.sha = r.bytes();
         b.path = r.bytes();
       });
  ok = ok && rows(kShared, 9, [&](Rows& r) {
         SharedState& s = g.shared.emplace_back();
         s.space = uint32_t(r.number());
         s.kind = uint32_t(r.number());
         s.dev = r.number();
         s.ino = r.number();
         s.bytes = r.number();
         s.path = r.bytes();
         s.mode = uint32_t(r.number());
         s.uid = uint32_t(r.number());
         s.gid = uint32_t(r.number());
       });
  if (!ok) return "a section about processes, threads or files is malformed";
  auto has_process = [&](uint32_t slot) {
    return std::any_of(g.processes.begin(), g.processes.end(), [&](const ProcessState& p) { return p.slot == slot; });
  };
  auto has_block = [&](uint32_t process, uint64_t address) {
    return std::any_of(g.blocks.begin(), g.blocks.end(),
                       [&](const BlockState& b) { return b.process == process && b.address == address; });
  };
  for (const ProcessState& p : g.processes)
    if (p.slot >= abi::kMaxProcesses || p.fd_emit.size() > 1024 || (!p.ended && !is_block(p.process_block & ~4095ull)))
      return "a process of the section \"processes\" is impossible";
  for (const BlockState& b : g.blocks)
    if (!has_process(b.process) || !is_block(b.address) || b.bytes.size() != abi::kThreadBytes)
      return "a block of the section \"blocks\" is impossible";
  for (const ThreadState& t : g.threads)
    if (!has_process(t.process) || !has_block(t.process, t.block) || t.resume > abi::kResumeSpawn ||
        t.xsave.size() < 576)
      return "a thread of the section \"threads\" is impossible";
  if (g.processes.empty() || g.threads.empty()) return "there is no process or thread";
  return "";
}

std::string encode_region_kind(uint32_t kind, uint64_t number) {
  Packer p;
  p.array(2).unsigned_int(kind).unsigned_int(number);
  return p.take();
}

bool decode_region_kind(const std::string& extra, uint32_t* kind, uint64_t* number) {
  MsgpackReader r{std::string_view(extra)};
  if (r.array() < 2) return false;
  *kind = uint32_t(r.integer());
  *number = uint64_t(r.integer());
  return r.ok();
}

}  // namespace understudy::host::checkpoint
