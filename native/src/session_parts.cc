// See session_parts.h.
#include "session_parts.h"

#include <string.h>

namespace understudy::host {

namespace {
const char* level_name(abi::MessageLevel level) {
  return level == abi::kInfo ? "info" : level == abi::kWarning ? "warning" : "error";
}
}  // namespace

Plain::Object message(abi::MessageLevel level, const std::string& text) {
  return {{"type", "message"}, {"level", level_name(level)}, {"text", text}};
}

Plain::Object counters(const abi::Control& control) {
  return {{"sudTraps", load_acquire(control.stat_sud_traps)},
          {"switches", load_acquire(control.stat_switches)},
          {"steals", load_acquire(control.stat_steals)},
          {"ringWaits", load_acquire(control.stat_ring_waits)},
          {"preempts", load_acquire(control.stat_preempts)}};
}

void prepare_journal_dir(const std::string& dir) {
  for (const char* sub : {"/segments", "/blobs"}) {
    const std::string path = dir + sub;
    if (int error = make_dirs(path))
      throw HostError("JOURNAL_DIR", error, path, "cannot create " + path + ": " + errno_text(error));
  }
}

void copy_path(char (&to)[abi::kPathMax], const std::string& path) {
  if (path.size() >= sizeof to)
    throw HostError("JOURNAL_DIR", ENAMETOOLONG, path, path + ": " + errno_text(ENAMETOOLONG));
  memcpy(to, path.c_str(), path.size() + 1);
}

namespace {
const char* kind_name(uint32_t kind) {
  static const char* const names[] = {"unknown", "kernel-result", "kernel-write", "start-state", "instruction",
                                      "agent",   "order",         "place",        "time"};
  return kind < sizeof names / sizeof names[0] ? names[kind] : names[0];
}
}  // namespace

// The group dies with pid 1 of its namespace where it has one; otherwise somebody has to kill it when the host dies.
std::unique_ptr<Guard> guard_for(const std::optional<Namespaces>& isolation, const abi::Control* control) {
  return isolation && isolation->pid ? nullptr : std::make_unique<Guard>(control);
}

std::optional<Namespaces> stage_replay(abi::Control& control, std::optional<Namespaces> isolation,
                                       const std::string& blob_dir, const std::string& scratch_dir,
                                       const std::string& stub_path) {
  const bool staged = isolation && isolation->mount;
  if (isolation && isolation->user && !staged)
    throw HostError("LAUNCH", EINVAL, "",
                    "a replay as another user needs a mount namespace, where it finds what it opens");
  if (staged) {
    const std::vector<Bind> own = stage(blob_dir, scratch_dir, stub_path);
    // Last, on top of whatever the user binds.
    isolation->binds.insert(isolation->binds.end(), own.begin(), own.end());
  }
  copy_path(control.blob_dir, staged ? kStageBlobs : blob_dir);
  copy_path(control.scratch_dir, staged ? kStageScratch : scratch_dir);
  copy_path(control.stub_path, staged ? kStageStub : stub_path);
  if (isolation && isolation->pid) control.flags |= abi::kFlagPidNamespace;
  return isolation;
}

std::string detail_of(const abi::Divergence& divergence) {
  return std::string(divergence.detail, strnlen(divergence.detail, sizeof divergence.detail));
}

Plain::Object divergence_fields(const abi::Divergence& d) {
  return {{"type", "diverged"},
          {"kind", kind_name(d.kind)},
          {"gtid", d.gtid},
          {"tid", d.tid},
          {"pid", d.pid},
          {"seq", d.seq},
          {"expectedKind", d.expected_kind},
          {"expectedRet", BigSigned{d.expected_ret}},
          {"actualKind", d.actual_kind},
          {"actualArgs", big_list(d.actual_args)},
          {"regs", big_list(d.regs)},
          {"detail", detail_of(d)}};
}

}  // namespace understudy::host
