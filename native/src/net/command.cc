// See command.h.
#include "command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "common.h"

extern char** environ;

namespace understudy::host {
namespace {

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) throw HostError("NET", errno, "", "cannot make a pipe: " + errno_text(errno));
    read = UniqueFd(fds[0]);
    write = UniqueFd(fds[1]);
  }
};

}  // namespace

CommandResult run_command(const std::vector<std::string>& argv, const std::string& input) {
  Pipe in, out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.write.get(), 2);
  // Threads of the data plane block all signals; a program must not inherit that.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::vector<char*> args;
  args.reserve(argv.size() + 1);
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, args[0], &actions, &attributes, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    throw HostError("NET", error, argv[0],
                    "cannot run " + argv[0] + ": " + errno_text(error) +
                        (error == ENOENT ? "; it comes with the packages iptables and nftables" : ""));
  in.read.reset();
  out.write.reset();
  err.write.reset();

  CommandResult result{};
  size_t written = 0;
  fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  if (input.empty()) in.write.reset();
  while (out.read || err.read) {
    pollfd fds[3] = {
        {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {in.write ? in.write.get() : -1, POLLOUT, 0}};
    if (poll(fds, 3, -1) < 0) continue;
    auto take = [](UniqueFd& fd, short events, std::string* to) {
      char buffer[16384];
      if (events == 0) return;
      const ssize_t n = read(fd.get(), buffer, sizeof buffer);
      if (n > 0) to->append(buffer, size_t(n));
      if (n == 0 || (n < 0 && errno != EINTR)) fd.reset();
    };
    take(out.read, fds[0].revents, &result.out);
    take(err.read, fds[1].revents, &result.err);
    if (in.write && fds[2].revents != 0) {
      // The pipe's reader may be gone; SIGPIPE is blocked on data plane threads and ignored by Node.
      const ssize_t n = write(in.write.get(), input.data() + written, input.size() - written);
      if (n > 0) written += size_t(n);
      if (written == input.size() || (n < 0 && errno != EAGAIN && errno != EINTR)) in.write.reset();
    }
  }
  while (waitpid(pid, &result.status, 0) < 0 && errno == EINTR) {}
  return result;
}

std::string run_command_or_throw(const std::vector<std::string>& argv, const std::string& input,
                                 const std::string& purpose) {
  CommandResult result = run_command(argv, input);
  if (result.ok()) return std::move(result.out);
  std::string text = result.err;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.empty()) text = "status " + std::to_string(result.status);
  throw HostError("NET", EIO, argv[0], "cannot " + purpose + ": " + argv[0] + " says: " + text);
}

}  // namespace understudy::host
