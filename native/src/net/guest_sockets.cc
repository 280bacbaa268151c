// See guest_sockets.h.
#include "net/guest_sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <memory>

namespace understudy::host {
namespace {
constexpr rlim_t kDescriptors = 32768;  // room for as many is made beforehand: a quarter of a megabyte
}  // namespace

std::unordered_map<uint64_t, GuestDescriptor> collect_sockets(const std::vector<pid_t>& pids, uint32_t* missed) {
  std::unordered_map<uint64_t, GuestDescriptor> all;
  for (const pid_t pid : pids) {
    const UniqueFd process(int(syscall(SYS_pidfd_open, pid, 0)));
    const std::string path = "/proc/" + std::to_string(pid) + "/fd";
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
    if (!process || !dir) continue;
    while (const dirent* entry = readdir(dir.get())) {
      if (entry->d_name[0] == '.') continue;
      const int number = atoi(entry->d_name);
      UniqueFd fd(int(syscall(SYS_pidfd_getfd, process.get(), number, 0)));
      if (!fd) {
        *missed += errno == EMFILE || errno == ENFILE;
        continue;
      }
      // The first question is also the test whether this is a socket at all.
      uint64_t cookie = 0;
      int family = 0, type = 0;
      socklen_t len = sizeof cookie;
      if (getsockopt(fd.get(), SOL_SOCKET, SO_COOKIE, &cookie, &len) != 0 || all.contains(cookie)) continue;
      len = sizeof family;
      if (getsockopt(fd.get(), SOL_SOCKET, SO_DOMAIN, &family, &len) != 0) continue;
      len = sizeof type;
      if (getsockopt(fd.get(), SOL_SOCKET, SO_TYPE, &type, &len) != 0) continue;
      if (family != AF_INET && family != AF_INET6) continue;
      all.emplace(cookie, GuestDescriptor{std::move(fd), pid, number, family, type});
    }
  }
  return all;
}

void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  if (limit.rlim_cur != limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  // A process of several threads waits for all processors, some 10 ms, each time its table of descriptors has to grow. It never shrinks.
  const UniqueFd any(open("/", O_PATH | O_CLOEXEC));
  const UniqueFd last(fcntl(any.get(), F_DUPFD_CLOEXEC, int(std::min<rlim_t>(limit.rlim_cur, kDescriptors)) - 1));
}

}  // namespace understudy::host
