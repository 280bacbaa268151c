// What recordings, replays and pairs have in common: events for JavaScript, journal directories, the guard.
#pragma once
#include <memory>
#include <optional>

#include "memory_file.h"
#include "namespaces.h"
#include "plain.h"
#include "spawn.h"

namespace understudy::host {

Plain::Object message(abi::MessageLevel level, const std::string& text);
Plain::Object counters(const abi::Control& control);
// {type: "diverged", ...}; a caller that can unwind adds `stack`.
Plain::Object divergence_fields(const abi::Divergence& divergence);
std::string detail_of(const abi::Divergence& divergence);

// Creates what a journal consists of. Throws HostError JOURNAL_DIR.
void prepare_journal_dir(const std::string& dir);
void copy_path(char (&to)[abi::kPathMax], const std::string& path);

// The group dies with pid 1 of its namespace where it has one; otherwise somebody has to kill it when the host dies.
std::unique_ptr<Guard> guard_for(const std::optional<Namespaces>& isolation, const abi::Control* control);

// Tells the agent of a replay where it finds what it opens; the result is the isolation with what that takes. Absolute paths.
// Throws HostError LAUNCH.
std::optional<Namespaces> stage_replay(abi::Control& control, std::optional<Namespaces> isolation,
                                       const std::string& blob_dir, const std::string& scratch_dir,
                                       const std::string& stub_path);

template <size_t N>
Plain::List big_list(const uint64_t (&values)[N]) {
  Plain::List out;
  for (uint64_t value : values) out.emplace_back(BigUnsigned{value});
  return out;
}

}  // namespace understudy::host
