// See storage_transfer.h.
#include "pair/storage_transfer.h"

#include <filesystem>

#include "net/command.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
using storage::LookFigures;

// Looks go on while each finds much less than the one before.
constexpr int kLooksMax = 6;
constexpr uint64_t kLittleBytes = 1 << 20;
// More than this of a standstill is sent while it lasts, and not kept.
constexpr uint64_t kLateBytesMax = 256ull << 20;
constexpr char kSnapshotSeconds[] = "10";

uint64_t bytes_below(const std::string& dir) {
  namespace fs = std::filesystem;
  uint64_t bytes = 0;
  std::error_code error;
  // Of progress only: what vanishes or cannot be read is counted as nothing here.
  for (fs::recursive_directory_iterator it(dir, fs::directory_options::skip_permission_denied, error), end;
       it != end && !error; it.increment(error)) {
    std::error_code of_file;
    if (it->is_regular_file(of_file) && !it->is_symlink(of_file)) bytes += it->file_size(of_file);
  }
  return bytes;
}

std::string run_snapshot(const std::string& program, const char* verb, const std::string& dir) {
  // The guest stands still meanwhile: a program that hangs must not hold it up for ever.
  const CommandResult result = run_command({"timeout", "-k", "1", kSnapshotSeconds, program, verb, dir}, "");
  std::string said = result.ok() ? result.out : result.err;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (result.ok()) return said;
  constexpr int kTimedOut = 124;
  if (WIFEXITED(result.status) && WEXITSTATUS(result.status) == kTimedOut)
    said = std::string("it has not ended within ") + kSnapshotSeconds + " s";
  throw HostError("STORAGE", EIO, program,
                  program + " " + verb + " " + dir +
                      " failed: " + (said.empty() ? "status " + std::to_string(WEXITSTATUS(result.status)) : said));
}
}  // namespace

StorageTransfer::StorageTransfer(std::vector<StorageRoot> roots, Send to, Progress progress, EmitEvent emit)
    : roots_(std::move(roots)),
      send_(std::move(to)),
      progress_(std::move(progress)),
      emit_(std::move(emit)),
      report_([this](const std::string& text) { emit_(message(abi::kWarning, text)); }) {
  std::vector<storage::SourceRoot> direct;
  for (uint32_t i = 0; i < roots_.size(); i++) {
    if (roots_[i].snapshot.empty()) direct.push_back({i, roots_[i].dir});
    total_ += bytes_below(roots_[i].dir);
  }
  direct_ = std::make_unique<storage::TreeSource>(std::move(direct), report_);
  send(storage::encode_begin(roots_.size()));
}

StorageTransfer::~StorageTransfer() { remove_snapshots(); }

bool StorageTransfer::send(const std::string& record) {
  if (!ok_) return false;
  if (standing_ && late_bytes_ < kLateBytesMax) {
    late_bytes_ += record.size();
    late_.push_back(record);
    return true;
  }
  // In order: what was kept comes before.
  for (const std::string& kept : std::exchange(late_, {})) ok_ = ok_ && send_(kept);
  ok_ = ok_ && send_(record);
  sent_ += record.size();
  progress_(sent_, std::max(sent_, total_));
  return ok_;
}

LookFigures StorageTransfer::look(storage::TreeSource& source, const storage::FileSet& mapped) {
  return source.look([this](const std::string& record) { return send(record); }, mapped);
}

void StorageTransfer::copy_ahead() {
  uint64_t before = ~0ull;
  for (int i = 0; i < kLooksMax && ok_; i++) {
    const LookFigures now = look(*direct_, {});
    if (now.bytes_sent < kLittleBytes || now.bytes_sent > before / 2) return;
    before = now.bytes_sent;
  }
}

void StorageTransfer::copy_soon() {
  if (ok_) look(*direct_, {});
}

void StorageTransfer::at_standstill(const std::vector<pid_t>& pids) {
  const uint64_t begin = monotonic_ns();
  standing_ = true;
  last_ = look(*direct_, storage::mapped_for_writing(pids));
  standing_ = false;
  remove_snapshots();
  for (uint32_t i = 0; i < roots_.size(); i++)
    if (!roots_[i].snapshot.empty())
      snapshots_.push_back({i, run_snapshot(roots_[i].snapshot, "create", roots_[i].dir)});
  stood_ns_ = monotonic_ns() - begin;
}

void StorageTransfer::finish() {
  std::vector<storage::SourceRoot> frozen;
  for (const Snapshot& snapshot : snapshots_) frozen.push_back({snapshot.index, snapshot.dir});
  storage::TreeSource source(std::move(frozen), report_);
  look(source, {});
  send(storage::encode_end(true));
  remove_snapshots();
  if (!ok_) return;
  char text[224];
  snprintf(text, sizeof text,
           "the guest's own storage is brought to the new backup: %.1f MB; while it stood still, %zu files were looked "
           "at and %.1f MB "
           "read, within %.1f ms",
           double(sent_) / 1e6, size_t(last_.entries), double(last_.bytes_read) / 1e6, double(stood_ns_) / 1e6);
  emit_(message(abi::kInfo, text));
}

void StorageTransfer::remove_snapshots() {
  for (const Snapshot& snapshot : std::exchange(snapshots_, {})) {
    try {
      run_snapshot(roots_[snapshot.index].snapshot, "remove", snapshot.dir);
    } catch (const HostError& error) {
      emit_(message(abi::kWarning, std::string("a snapshot is left behind: ") + error.what()));
    }
  }
}

}  // namespace understudy::host
