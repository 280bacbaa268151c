// See guest_watch.h.
#include "net/guest_watch.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <memory>

#include "common.h"

namespace understudy::host {
namespace {

constexpr unsigned long kExiting = 4;  // PF_EXITING in field 9 of /proc/PID/stat

// The name (field 2) may hold blanks and parentheses; fields are counted from its last parenthesis.
bool thread_is_alive(const std::string& stat_path) {
  std::string stat;
  if (!read_file(stat_path, &stat)) return false;
  const size_t close = stat.rfind(')');
  if (close == std::string::npos || close + 2 >= stat.size()) return false;
  const char* p = stat.c_str() + close + 2;
  if (*p == 'Z' || *p == 'X') return false;
  for (int field = 3; field < 9 && p != nullptr; field++) {
    p = strchr(p, ' ');
    if (p != nullptr) p++;
  }
  return p != nullptr && (strtoul(p, nullptr, 10) & kExiting) == 0;
}

}  // namespace

bool GuestWatch::is_alive(int32_t pid) {
  const std::string base = "/proc/" + std::to_string(pid);
  if (thread_is_alive(base + "/stat")) return true;
  // The first thread may have ended (pthread_exit) while others go on.
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir((base + "/task").c_str()), closedir);
  if (!dir) return false;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.' && thread_is_alive(base + "/task/" + entry->d_name + "/stat")) return true;
  }
  return false;
}

bool GuestWatch::end_is_meant() const {
  const bool deaths_are_recorded = deaths_are_recorded_.load(std::memory_order_acquire);
  for (const abi::ProcessSlot& process : control_.processes) {
    const uint32_t state = load_acquire(process.state);
    if (state == abi::kThreadKilled && !deaths_are_recorded) return false;
    if (state != abi::kThreadLive || load_acquire(process.dying) != 0) continue;
    const pid_t pid = host_pid_ ? host_pid_(load_acquire(process.pid)) : load_acquire(process.pid);
    if (pid <= 0 || !is_alive(pid)) return false;
  }
  return true;
}

}  // namespace understudy::host
