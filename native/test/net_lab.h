// Three network namespaces on a bridge, for tests: a client and two hosts. Sockets belong to the namespace in which they were made, so one
// process can hold ends in all of them.
//
// Must not: be left behind; the destructor removes everything, and names carry the process's number.
#pragma once
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "common.h"
#include "net/command.h"
#include "net/packet.h"

namespace understudy::host {

class Lab {
 public:
  struct Addresses {
    std::string client, a, b;
    int prefix;
  };
  explicit Lab(const Addresses& addresses) : prefix_("usnet" + std::to_string(getpid())) {
    std::string script = "set -e\n";
    for (const char* n : {"br", "c", "a", "b"}) {
      script += "ip netns add " + name(n) + "; ip -n " + name(n) + " link set lo up\n";
      script += "ip netns exec " + name(n) +
                " sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0\n";
    }
    script += "ip -n " + name("br") + " link add br0 type bridge; ip -n " + name("br") + " link set br0 up\n";
    const std::string each[3] = {addresses.client, addresses.a, addresses.b};
    int i = 0;
    for (const char* n : {"c", "a", "b"}) {
      script += "ip -n " + name("br") + " link add p" + n + " type veth peer name eth0 netns " + name(n) + "\n";
      script += "ip -n " + name("br") + " link set p" + std::string(n) + " master br0 up; ip -n " + name(n) +
                " link set eth0 up\n";
      script += "ip -n " + name(n) + " addr add " + each[i++] + "/" + std::to_string(addresses.prefix) +
                (addresses.prefix > 32 ? " nodad" : "") + " dev eth0\n";
    }
    run_command_or_throw({"sh", "-s"}, script, "make the test's networks");
    home_ = UniqueFd(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  }
  ~Lab() {
    for (const char* n : {"c", "a", "b", "br"}) run_command({"ip", "netns", "del", name(n)}, "");
  }
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  std::string name(const std::string& n) const { return prefix_ + "-" + n; }
  void enter(const std::string& n) const {
    const UniqueFd fd(open(("/var/run/netns/" + name(n)).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || setns(fd.get(), CLONE_NEWNET) != 0)
      throw HostError("NET", errno, n, "cannot enter namespace " + name(n));
  }
  // Runs there; threads that it starts stay there.
  void in(const std::string& n, const std::function<void()>& body) const {
    enter(n);
    body();
    if (setns(home_.get(), CLONE_NEWNET) != 0)
      throw HostError("NET", errno, "", "cannot come back from namespace " + name(n));
  }
  std::string run(const std::string& n, const std::string& command) const {
    return run_command_or_throw({"ip", "netns", "exec", name(n), "sh", "-c", command}, "", "run " + command);
  }

 private:
  std::string prefix_;
  UniqueFd home_;
};

}  // namespace understudy::host
