// What the kernel knows of a process itself, and which paths an inotify watches.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "describe_parts.h"
#include "remote_call.h"

namespace understudy::host::checkpoint {
namespace {

std::string proc(pid_t pid, const std::string& name) { return "/proc/" + std::to_string(pid) + "/" + name; }

std::string link_of(const std::string& path) {
  char target[4096];
  const ssize_t n = readlink(path.c_str(), target, sizeof target);
  return n > 0 ? std::string(target, size_t(n)) : "";
}

// The line of `text` that begins with `name`, without it.
std::string line_of(const std::string& text, const std::string& name) {
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    if (text.compare(at, name.size(), name) == 0) return text.substr(at + name.size(), end - at - name.size());
    at = end + 1;
  }
  return "";
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> out;
  for (size_t at = 0; (at = line.find_first_not_of(" \n", at)) != std::string::npos;) {
    const size_t end = std::min(line.find_first_of(" \n", at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

template <class T>
std::vector<T> numbers_of(const std::string& line) {
  std::vector<T> out;
  const char* p = line.c_str();
  for (;;) {
    while (*p == ' ' || *p == '\t') p++;
    if (strncmp(p, "unlimited", 9) == 0) {
      out.push_back(T(~0ull));
      p += 9;
      continue;
    }
    if (*p < '0' || *p > '9') return out;
    char* end;
    out.push_back(T(strtoull(p, &end, 10)));
    p = end;
  }
}

// A descriptor on each file system that the process has mounted, until one takes the handle.
UniqueFd open_handle(pid_t pid, uint64_t dev, const std::string& handle_bytes) {
  if (handle_bytes.size() <= sizeof(int)) return {};
  const size_t bytes = handle_bytes.size() - sizeof(int);
  std::string storage(sizeof(file_handle) + bytes, '\0');
  auto* handle = reinterpret_cast<file_handle*>(storage.data());
  handle->handle_bytes = unsigned(bytes);
  memcpy(&handle->handle_type, handle_bytes.data(), sizeof(int));
  memcpy(handle->f_handle, handle_bytes.data() + sizeof(int), bytes);
  std::string mounts;
  if (!read_file(proc(pid, "mountinfo"), &mounts)) return {};
  for (size_t at = 0; at < mounts.size();) {
    size_t end = mounts.find('\n', at);
    if (end == std::string::npos) end = mounts.size();
    unsigned major_number = 0, minor_number = 0;
    char point[4096];
    // "id parent major:minor root mount-point …"
    if (sscanf(mounts.substr(at, end - at).c_str(), "%*d %*d %u:%u %*s %4095s", &major_number, &minor_number, point) ==
            3 &&
        (uint64_t(major_number) << 20 | minor_number) == dev) {
      const UniqueFd mount(open(proc(pid, std::string("root") + point).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      UniqueFd file(mount ? open_by_handle_at(mount.get(), handle, O_PATH | O_CLOEXEC) : -1);
      if (file) return file;
    }
    at = end + 1;
  }
  return {};
}

}  // namespace

void name_watched(pid_t pid, OpenFile* file) {
  for (InotifyWatch& watch : file->watches) {
    const UniqueFd target = open_handle(pid, watch.dev, watch.handle);
    if (!target) continue;
    watch.path = link_of("/proc/self/fd/" + std::to_string(target.get()));
  }
}

static uint64_t pending_in(const std::string& status) {
  return strtoull(line_of(status, "SigPnd:").c_str(), nullptr, 16) |
         strtoull(line_of(status, "ShdPnd:").c_str(), nullptr, 16);
}

void describe_attributes(pid_t pid, KernelObjects* out) {
  ProcessAttributes a;
  a.pid = pid;
  a.directory = link_of(proc(pid, "cwd"));
  a.root = link_of(proc(pid, "root"));
  std::string status, limits;
  if (!read_file(proc(pid, "status"), &status) || !read_file(proc(pid, "limits"), &limits)) {
    out->missing.push_back("process " + std::to_string(pid) + " cannot be looked at: " + errno_text(errno));
    return;
  }
  std::string stat;
  // "pid (name) state …": the 19th field is nice, the 40th and 41st are priority and policy. The name may hold anything.
  if (read_file(proc(pid, "stat"), &stat) && stat.rfind(')') != std::string::npos) {
    const std::vector<std::string> fields = words_of(stat.substr(stat.rfind(')') + 1));
    if (fields.size() > 38) {
      a.nice = int32_t(strtol(fields[16].c_str(), nullptr, 10));
      a.priority = uint32_t(strtoul(fields[37].c_str(), nullptr, 10));
      a.policy = uint32_t(strtoul(fields[38].c_str(), nullptr, 10));
    }
  }
  for (const char* name : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"})
    a.capabilities.push_back(strtoull(line_of(status, name).c_str(), nullptr, 16));
  a.no_new_privileges = strtoul(line_of(status, "NoNewPrivs:").c_str(), nullptr, 10) != 0;
  a.umask = uint32_t(strtoul(line_of(status, "Umask:").c_str(), nullptr, 8));
  a.pending = pending_in(status);
  a.users = numbers_of<uint32_t>(line_of(status, "Uid:"));
  a.groups = numbers_of<uint32_t>(line_of(status, "Gid:"));
  a.further_groups = numbers_of<uint32_t>(line_of(status, "Groups:"));
  // In the order of RLIMIT_CPU, RLIMIT_FSIZE …
  for (const char* name : {"Max cpu time", "Max file size", "Max data size", "Max stack size", "Max core file size",
                           "Max resident set", "Max processes", "Max open files", "Max locked memory",
                           "Max address space", "Max file locks", "Max pending signals", "Max msgqueue size",
                           "Max nice priority", "Max realtime priority", "Max realtime timeout"}) {
    const std::vector<uint64_t> values = numbers_of<uint64_t>(line_of(limits, name));
    a.limits.push_back(values.empty() ? ~0ull : values[0]);
    a.limits.push_back(values.size() < 2 ? ~0ull : values[1]);
  }
  out->processes.push_back(std::move(a));
}

// A timer of real time runs on while all stand still. One that has expired since the pending signals were read has its signal among them now; and if it
// was asked for before that, and is not one that repeats, it is not armed any more.
static std::string note_fired(pid_t tid, ProcessAttributes* out) {
  std::string status;
  if (!read_file(proc(tid, "status"), &status))
    return "the pending signals of thread " + std::to_string(tid) + " cannot be read: " + errno_text(errno);
  const uint64_t fired = pending_in(status) & ~out->pending;
  const auto has_fired = [&](int signal, const int64_t* interval) {
    return signal > 0 && signal <= 64 && (fired >> (signal - 1) & 1) != 0 && interval[0] == 0 && interval[1] == 0;
  };
  constexpr int kSignals[3] = {SIGALRM, SIGVTALRM, SIGPROF};
  for (size_t which = 0; which < 3 && out->intervals.size() == 12; which++)
    if (has_fired(kSignals[which], &out->intervals[which * 4]))
      out->intervals[which * 4 + 2] = out->intervals[which * 4 + 3] = 0;
  for (PosixTimer& t : out->timers)
    if (t.spec.size() == 4 && has_fired(t.signal, t.spec.data())) t.spec[2] = t.spec[3] = 0;
  out->pending |= fired;
  return "";
}

std::string read_timers(pid_t tid, uint64_t instruction, uint64_t scratch, const void* scratch_here,
                        ProcessAttributes* out) {
  const auto ask = [&](long number, uint64_t which, std::vector<int64_t>* to) {
    const int64_t r = remote_call(tid, instruction, uint64_t(number), which, scratch);
    int64_t value[4];
    memcpy(value, scratch_here, sizeof value);
    if (r == 0) to->insert(to->end(), value, value + 4);
    return r;
  };
  for (uint64_t which = 0; which < 3; which++)
    if (const int64_t r = ask(SYS_getitimer, which, &out->intervals); r != 0)
      return "the timers of thread " + std::to_string(tid) + " cannot be asked for: " + errno_text(int(-r));
  std::string text;
  // Without this file (CONFIG_CHECKPOINT_RESTORE) nobody knows which there are.
  if (!read_file(proc(tid, "timers"), &text))
    return "the timers of thread " + std::to_string(tid) + " cannot be listed: " + errno_text(errno);
  for (size_t at = 0; (at = text.find("ID: ", at)) != std::string::npos;) {
    size_t end = text.find("\nID: ", at);
    if (end == std::string::npos) end = text.size();
    PosixTimer t;
    unsigned long long value = 0;
    char how[32] = "";
    if (sscanf(text.substr(at, end - at).c_str(), "ID: %d signal: %d/%llx notify: %31s ClockID: %d", &t.id, &t.signal,
               &value, how, &t.clock) != 5)
      return "a timer of thread " + std::to_string(tid) + " is told of in an unknown way";
    t.value = value;
    // "signal/tid.12", "none/pid.3", "thread/pid.3"
    const std::string notify = how;
    const size_t dot = notify.find('.');
    if (notify.starts_with("none")) t.notify = 1;
    else if (notify.starts_with("thread")) t.notify = 2;
    if (notify.find("/tid.") != std::string::npos && dot != std::string::npos) {
      t.notify |= 4;
      t.target = strtoll(notify.c_str() + dot + 1, nullptr, 10);
    }
    if (const int64_t r = ask(SYS_timer_gettime, uint64_t(t.id), &t.spec); r != 0)
      return "timer " + std::to_string(t.id) + " of thread " + std::to_string(tid) +
             " cannot be asked for: " + errno_text(int(-r));
    out->timers.push_back(std::move(t));
    at = end;
  }
  return note_fired(tid, out);
}

}  // namespace understudy::host::checkpoint
