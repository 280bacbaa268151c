// Pipes and sockets: what they are, and what lies in them.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/sockios.h>

#include <deque>

#include "describe_parts.h"

namespace understudy::host::checkpoint {
namespace {

constexpr size_t kMessageMax = 1 << 20;
constexpr uint64_t kDefaultsNs = 1'000'000'000;

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, name, &value, &length) == 0 ? value : 0;
}

std::string option_bytes(int fd, int level, int name) {
  char value[64];
  socklen_t length = sizeof value;
  if (getsockopt(fd, level, name, value, &length) != 0) return "";
  return {value, std::min<size_t>(length, sizeof value)};
}

// What servers set, and what decides how a socket behaves once it is connected. (Buffers' sizes are doubled by whoever sets them.)
constexpr std::pair<int, int> kOptions[] = {
    {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_REUSEPORT},
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_RCVLOWAT},
    {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_RCVBUF},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_SYNCNT},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_LINGER2},
    {IPPROTO_TCP, TCP_CORK},
};

bool has_option(int level, int family, int protocol) {
  return (level != IPPROTO_IPV6 || family == AF_INET6) && (level != IPPROTO_TCP || protocol == IPPROTO_TCP);
}

// Asked for once: they do not change while a group is looked at, and a server may have a thousand sockets of a kind.
const std::vector<std::string>& options_of_new(int family, int type, int protocol) {
  struct Known {
    int family, type, protocol;
    uint64_t at_ns;
    std::vector<std::string> values;
  };
  // By each thread for itself; what the host's defaults are (sysctl) may be another thing some seconds later.
  static thread_local std::deque<Known> known;
  const uint64_t now = monotonic_ns();
  std::erase_if(known, [&](const Known& k) { return now - k.at_ns > kDefaultsNs; });
  for (const Known& k : known)
    if (k.family == family && k.type == type && k.protocol == protocol) return k.values;
  Known& k = known.emplace_back(Known{family, type, protocol, now, {}});
  const UniqueFd fresh(socket(family, type | SOCK_CLOEXEC, protocol));
  for (const auto& [level, name] : kOptions)
    k.values.push_back(has_option(level, family, protocol) ? option_bytes(fresh.get(), level, name) : "");
  return k.values;
}

template <class F>
std::string address_of(int fd, F get) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (get(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "";
  return {reinterpret_cast<const char*>(&address), std::min<size_t>(length, sizeof address)};
}

std::string path_of(const std::string& address) {
  constexpr size_t kHead = offsetof(sockaddr_un, sun_path);
  if (address.size() <= kHead) return "";
  std::string path = address.substr(kHead);
  // A path's end is its zero byte; an abstract name begins with one, and has its length.
  if (path[0] != '\0') path.resize(strnlen(path.data(), path.size()));
  return path;
}

// Everything that was received and not read yet, without taking it.
bool peek(int fd, bool stream, UnixSocket* out) {
  if (stream) {
    int queued = 0;
    if (ioctl(fd, SIOCINQ, &queued) != 0) return false;
    if (queued == 0) return true;
    std::string bytes(size_t(queued), '\0');
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN;
    // It stops where descriptors come with the bytes; with no room for them they are only announced.
    out->carries_descriptors = (message.msg_flags & MSG_CTRUNC) != 0 || n < queued;
    bytes.resize(size_t(n));
    out->received.push_back(std::move(bytes));
    return true;
  }
  // One message after the other: the offset moves on with every look. It is the socket's own, and put back afterwards.
  const int before = option(fd, SOL_SOCKET, SO_PEEK_OFF);
  int offset = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset) != 0) return false;
  std::string bytes(kMessageMax, '\0');
  bool ok = true;
  for (;;) {
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t n = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0) ok = errno == EAGAIN;
    // Nothing: the other side has closed, or an empty message, which an offset cannot pass.
    if (n <= 0) break;
    if ((message.msg_flags & MSG_CTRUNC) != 0) out->carries_descriptors = true;
    out->received.emplace_back(bytes.data(), size_t(n));
  }
  setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof before);
  return ok;
}

void describe_unix(int fd, uint64_t ino, KernelObjects* out, OpenFile* file) {
  file->kind = OpenFile::kUnix;
  file->object = int64_t(out->unix_sockets.size());
  UnixSocket& s = out->unix_sockets.emplace_back();
  s.ino = ino;
  s.type = uint32_t(option(fd, SOL_SOCKET, SO_TYPE));
  s.listening = option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0;
  s.send_buffer = uint32_t(option(fd, SOL_SOCKET, SO_SNDBUF));
  s.receive_buffer = uint32_t(option(fd, SOL_SOCKET, SO_RCVBUF));
  int unread = 0;
  if (ioctl(fd, SIOCOUTQ, &unread) == 0) s.unread_by_peer = uint32_t(unread);
  s.pass_credentials = option(fd, SOL_SOCKET, SO_PASSCRED) != 0;
  s.address = path_of(address_of(fd, getsockname));
  const std::string peer = address_of(fd, getpeername);
  s.connected = !peer.empty();
  s.peer_address = path_of(peer);
  if (!s.listening && !peek(fd, s.type == SOCK_STREAM, &s))
    out->missing.push_back("what was received by unix socket " + std::to_string(ino) +
                           " cannot be read: " + errno_text(errno));
}

}  // namespace

void describe_pipe(int fd, uint64_t ino, uint32_t flags, KernelObjects* out, OpenFile* file) {
  for (size_t i = 0; i < out->pipes.size(); i++)
    if (out->pipes[i].ino == ino) {
      file->object = int64_t(i);
      return;
    }
  file->object = int64_t(out->pipes.size());
  Pipe& pipe = out->pipes.emplace_back();
  pipe.ino = ino;
  const int capacity = fcntl(fd, F_GETPIPE_SZ);
  pipe.capacity = capacity > 0 ? uint32_t(capacity) : 0;
  // Of an end to write into, the other end: a new one, which goes again.
  UniqueFd end((flags & O_ACCMODE) == O_WRONLY
                   ? open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
                   : fcntl(fd, F_DUPFD_CLOEXEC, 0));
  int own[2];
  if (!end || pipe2(own, O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0) {
    out->missing.push_back("what is in pipe " + std::to_string(ino) + " cannot be read: " + errno_text(errno));
    return;
  }
  UniqueFd own_out(own[0]), own_in(own[1]);
  if (capacity > 0) fcntl(own_in.get(), F_SETPIPE_SZ, capacity);
  const ssize_t copied = tee(end.get(), own_in.get(), size_t(capacity > 0 ? capacity : 1 << 16), SPLICE_F_NONBLOCK);
  if (copied < 0 && errno != EAGAIN)
    out->missing.push_back("what is in pipe " + std::to_string(ino) + " cannot be read: " + errno_text(errno));
  std::string buffer(size_t(std::max<ssize_t>(copied, 0)), '\0');
  for (ssize_t left = copied; left > 0;) {
    // A read takes one packet where the writer made packets, and whatever there is otherwise. (Only the end to write into says which.)
    const ssize_t n = read(own_out.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    pipe.contents.emplace_back(buffer.data(), size_t(n));
    left -= n;
  }
}

void describe_socket(int fd, uint64_t ino, KernelObjects* out, OpenFile* file) {
  const int family = option(fd, SOL_SOCKET, SO_DOMAIN);
  if (family == AF_UNIX) return describe_unix(fd, ino, out, file);
  if (family != AF_INET && family != AF_INET6) {
    file->path = "socket of family " + std::to_string(family);
    return;
  }
  file->kind = OpenFile::kInet;
  file->object = int64_t(out->inet_sockets.size());
  InetSocket& s = out->inet_sockets.emplace_back();
  s.ino = ino;
  s.family = uint32_t(family);
  s.type = uint32_t(option(fd, SOL_SOCKET, SO_TYPE));
  s.protocol = uint32_t(option(fd, SOL_SOCKET, SO_PROTOCOL));
  s.local = address_of(fd, getsockname);
  s.remote = address_of(fd, getpeername);
  tcp_info info{};
  socklen_t length = sizeof info;
  if (s.protocol == IPPROTO_TCP && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) {
    s.state = info.tcpi_state;
    // Of a listener these two are what waits to be accepted, and how much of that there may be.
    if (info.tcpi_state == TCP_LISTEN) s.backlog = info.tcpi_sacked;
  }
  length = sizeof s.cookie;
  getsockopt(fd, SOL_SOCKET, SO_COOKIE, &s.cookie, &length);
  const std::vector<std::string>& fresh = options_of_new(family, int(s.type), int(s.protocol));
  for (size_t i = 0; i < std::size(kOptions); i++) {
    const auto& [level, name] = kOptions[i];
    if (!has_option(level, family, int(s.protocol))) continue;
    const std::string value = option_bytes(fd, level, name);
    if (!value.empty() && value != fresh[i]) s.options.push_back({level, name, value});
  }
}

void describe_unix_peers(pid_t pid, KernelObjects* out) {
  const auto ask = [&] {
    UniqueFd diag(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    struct {
      nlmsghdr head;
      unix_diag_req request;
    } message{};
    message.head.nlmsg_len = sizeof message;
    message.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.request.sdiag_family = AF_UNIX;
    message.request.udiag_states = ~0u;
    message.request.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
    if (!diag || send(diag.get(), &message, sizeof message, 0) < 0) {
      out->missing.push_back("which unix sockets belong together cannot be asked: " + errno_text(errno));
      return;
    }
    alignas(nlmsghdr) char buffer[32768];
    for (;;) {
      const ssize_t n = recv(diag.get(), buffer, sizeof buffer, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      int left = int(n);
      for (auto* head = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
        if (head->nlmsg_type == NLMSG_DONE) return;
        if (head->nlmsg_type == NLMSG_ERROR) {
          out->missing.emplace_back("which unix sockets belong together: the kernel does not answer (unix_diag)");
          return;
        }
        const auto* found = static_cast<const unix_diag_msg*>(NLMSG_DATA(head));
        for (UnixSocket& s : out->unix_sockets) {
          if (s.ino != found->udiag_ino) continue;
          int bytes = int(head->nlmsg_len - NLMSG_LENGTH(sizeof *found));
          for (const auto* a = reinterpret_cast<const nlattr*>(found + 1);
               bytes >= int(sizeof *a) && a->nla_len >= sizeof *a;) {
            const auto* value = reinterpret_cast<const uint32_t*>(a + 1);
            if (a->nla_type == UNIX_DIAG_PEER) s.peer = value[0];
            if (a->nla_type == UNIX_DIAG_SHUTDOWN) s.shut = *reinterpret_cast<const uint8_t*>(value);
            if (a->nla_type == UNIX_DIAG_RQLEN && s.listening) s.waiting = value[0], s.backlog = value[1];
            const int step = NLA_ALIGN(a->nla_len);
            bytes -= step;
            a = reinterpret_cast<const nlattr*>(reinterpret_cast<const char*>(a) + step);
          }
        }
      }
    }
  };
  if (int error = in_namespace_of(pid, "net", ask))
    out->missing.push_back("the network namespace cannot be entered, to ask which unix sockets belong together: " +
                           errno_text(error));
}

}  // namespace understudy::host::checkpoint
