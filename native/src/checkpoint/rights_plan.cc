// See rights_plan.h.
#include "rights_plan.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

namespace understudy::host::checkpoint {
namespace {

enum Set { kInheritable, kPermitted, kEffective, kBounding, kAmbient, kSets };
constexpr uint64_t kCapabilities = 64;

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string whose(const ProcessAttributes& a) { return " of process " + std::to_string(a.pid); }

// After the change of the user, without these calls.
bool are_kept(const ProcessAttributes& a, const ProcessAttributes& host) {
  const auto& c = a.capabilities;
  const bool is_root = a.users[0] == 0 || a.users[1] == 0 || a.users[2] == 0;
  if (!is_root) return c[kInheritable] == 0 && c[kPermitted] == 0 && c[kEffective] == 0 && c[kAmbient] == 0;
  for (Set set : {kInheritable, kPermitted, kEffective, kAmbient})
    if (c[set] != host.capabilities[set]) return false;
  return true;
}

bool are_known(const ProcessAttributes& a, const ProcessAttributes& host) {
  return a.capabilities.size() == kSets && host.capabilities.size() == kSets && a.users.size() >= 3;
}

}  // namespace

PlannedCall lock_call(const FileLock& lock, int32_t number, const std::string& of) {
  PlannedCall call;
  call.what = "lock " + of;
  if (lock.kind == FileLock::kFlock) {
    call.nr = SYS_flock;
    call.args = {uint64_t(number), uint64_t((lock.exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)};
    return call;
  }
  struct flock range {};
  range.l_type = lock.exclusive ? F_WRLCK : F_RDLCK;
  range.l_whence = SEEK_SET;
  range.l_start = lock.start;
  range.l_len = lock.length;
  call.nr = SYS_fcntl;
  call.args = {uint64_t(number), uint64_t(lock.kind == FileLock::kOpenFile ? F_OFD_SETLK : F_SETLK), 0};
  call.data = {{2, bytes_of(range)}};
  return call;
}

std::vector<PlannedCall> calls_before_user(const ProcessAttributes& a, const ProcessAttributes& host) {
  std::vector<PlannedCall> out;
  if (a.nice != host.nice)
    out.push_back({"set the priority" + whose(a), SYS_setpriority, {PRIO_PROCESS, 0, uint64_t(int64_t(a.nice))}, {}});
  if (a.policy != host.policy || a.priority != host.priority) {
    sched_param priority{};
    priority.sched_priority = int(a.priority);
    out.push_back(
        {"set the scheduling" + whose(a), SYS_sched_setscheduler, {0, a.policy, 0}, {{2, bytes_of(priority)}}});
  }
  if (!are_known(a, host)) return out;
  for (uint64_t c = 0; c < kCapabilities; c++)
    if ((host.capabilities[kBounding] & ~a.capabilities[kBounding]) >> c & 1)
      out.push_back({"drop a capability" + whose(a), SYS_prctl, {PR_CAPBSET_DROP, c, 0, 0, 0}, {}, true});
  // A change of the user would take all of them.
  if (!are_kept(a, host))
    out.push_back({"keep the capabilities" + whose(a), SYS_prctl, {PR_SET_KEEPCAPS, 1, 0, 0, 0}, {}, true});
  return out;
}

std::vector<PlannedCall> calls_after_user(const ProcessAttributes& a, const ProcessAttributes& host) {
  std::vector<PlannedCall> out;
  if (are_known(a, host) && !are_kept(a, host)) {
    const auto& c = a.capabilities;
    __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2];
    for (unsigned half = 0; half < 2; half++)
      data[half] = {uint32_t(c[kEffective] >> 32 * half), uint32_t(c[kPermitted] >> 32 * half),
                    uint32_t(c[kInheritable] >> 32 * half)};
    out.push_back({"set the capabilities" + whose(a),
                   SYS_capset,
                   {0, 0},
                   {{0, bytes_of(head)}, {1, {reinterpret_cast<const char*>(data), sizeof data}}},
                   // With more than it had it would not be the guest.
                   true});
    for (uint64_t n = 0; n < kCapabilities; n++)
      if (c[kAmbient] >> n & 1)
        out.push_back(
            {"make a capability ambient" + whose(a), SYS_prctl, {PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0}, {}});
    out.push_back({"keep no capabilities" + whose(a), SYS_prctl, {PR_SET_KEEPCAPS, 0, 0, 0, 0}, {}, true});
  }
  if (a.no_new_privileges)
    out.push_back({"renounce privileges" + whose(a), SYS_prctl, {PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0}, {}, true});
  return out;
}

}  // namespace understudy::host::checkpoint
