// See tree_records.h.
#include "storage/tree_records.h"

#include "checkpoint/packer.h"
#include "common.h"

namespace understudy::host::storage {
namespace {

using checkpoint::Packer;

constexpr uint64_t kPathMax = 4096, kAttributesMax = 1024;

[[noreturn]] void refuse(const std::string& what) {
  throw HostError("STORAGE", EBADMSG, "", "the mirror carries a record of storage that is none: " + what);
}

bool is_within(std::string_view path) {
  if (path.size() > kPathMax || path.find('\0') != std::string_view::npos) return false;
  if (path.empty()) return true;
  for (size_t from = 0; from <= path.size();) {
    const size_t to = std::min(path.find('/', from), path.size());
    const std::string_view name = path.substr(from, to - from);
    if (name.empty() || name == "." || name == "..") return false;
    from = to + 1;
  }
  return true;
}

std::string path_of(MsgpackReader& in) {
  std::string path(in.bytes());
  if (!is_within(path)) refuse("a name that leads out of its root");
  return path;
}

}  // namespace

std::string encode_begin(uint64_t roots) {
  return Packer().array(2).unsigned_int(uint64_t(RecordKind::kBegin)).unsigned_int(roots).take();
}

std::string encode_entry(const Entry& e) {
  Packer out;
  out.array(13).unsigned_int(uint64_t(RecordKind::kEntry)).unsigned_int(e.root).binary(e.path).unsigned_int(e.mode);
  out.unsigned_int(e.uid).unsigned_int(e.gid).unsigned_int(e.size).unsigned_int(e.device).signed_int(e.mtime_ns);
  out.unsigned_int(e.fresh ? 1 : 0).unsigned_int(e.hard_link ? 1 : 0).binary(e.target);
  out.array(e.attributes.size() * 2);
  for (const auto& [name, value] : e.attributes) out.binary(name).binary(value);
  return out.take();
}

std::string encode_data(uint64_t offset, std::string_view bytes) {
  return Packer().array(3).unsigned_int(uint64_t(RecordKind::kData)).unsigned_int(offset).binary(bytes).take();
}

std::string encode_gone(uint32_t root, const std::string& path) {
  return Packer().array(3).unsigned_int(uint64_t(RecordKind::kGone)).unsigned_int(root).binary(path).take();
}

std::string encode_end(bool last) {
  return Packer().array(2).unsigned_int(uint64_t(RecordKind::kEnd)).unsigned_int(last ? 1 : 0).take();
}

Record decode_record(std::string_view bytes) {
  MsgpackReader in(bytes);
  Record out;
  const uint64_t fields = in.array();
  const int64_t kind = in.integer();
  if (kind < 0 || kind > int64_t(RecordKind::kEnd)) refuse("its kind is not known");
  out.kind = RecordKind(kind);
  uint64_t known = 0;
  switch (out.kind) {
    case RecordKind::kBegin:
      known = 2;
      out.roots = uint64_t(in.integer());
      break;
    case RecordKind::kEntry: {
      known = 13;
      Entry& e = out.entry;
      e.root = uint32_t(in.integer());
      e.path = path_of(in);
      e.mode = uint32_t(in.integer());
      e.uid = uint32_t(in.integer());
      e.gid = uint32_t(in.integer());
      e.size = uint64_t(in.integer());
      e.device = uint64_t(in.integer());
      e.mtime_ns = in.integer();
      e.fresh = in.integer() != 0;
      e.hard_link = in.integer() != 0;
      e.target = std::string(in.bytes());
      if (e.target.size() > kPathMax || (e.hard_link && (e.target.empty() || !is_within(e.target))))
        refuse("a link that leads out of its root");
      const uint64_t attributes = in.array();
      if (attributes > 2 * kAttributesMax || attributes % 2 != 0) refuse("its attributes");
      for (uint64_t i = 0; i < attributes && in.ok(); i += 2) {
        std::string name(in.bytes());
        e.attributes.emplace_back(std::move(name), std::string(in.bytes()));
      }
      break;
    }
    case RecordKind::kData:
      known = 3;
      out.offset = uint64_t(in.integer());
      out.bytes = in.bytes();
      break;
    case RecordKind::kGone:
      known = 3;
      out.entry.root = uint32_t(in.integer());
      out.entry.path = path_of(in);
      if (out.entry.path.empty()) refuse("a root that is gone");
      break;
    case RecordKind::kEnd:
      known = 2;
      out.last = in.integer() != 0;
      break;
  }
  if (!in.ok() || fields != known) refuse("it is cut");
  return out;
}

}  // namespace understudy::host::storage
