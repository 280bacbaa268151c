// See fabric.h.
#include "fabric.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <mutex>

#include "../common.h"
#include "crypto.h"

namespace understudy::host {
namespace {
constexpr uint32_t kApi = FI_VERSION(1, 17);
constexpr uint64_t kMaxOutstanding = 4096;
// Completions cost a wake-up of our own wait object each, so only every so many writes, or bytes, ask for one. The source of the
// others counts as in use for longer than it is.
constexpr uint64_t kSignalEvery = 16, kSignalBytes = 32 * 1024;
constexpr size_t kReceives = 512;

struct Library {
  decltype(&fi_getinfo) getinfo;
  decltype(&fi_freeinfo) freeinfo;
  decltype(&fi_dupinfo) dupinfo;
  decltype(&fi_fabric) fabric;
  decltype(&fi_strerror) strerror;
};

// psm2 and infinipath, which libfabric is linked with, take over signals that are Node's (SIGINT and SIGTERM among them) in their
// constructors and in fi_getinfo's first call.
class KeepSignals {
 public:
  KeepSignals() {
    for (int i = 1; i < NSIG; i++) known_[i] = sigaction(i, nullptr, &saved_[i]) == 0;
  }
  ~KeepSignals() {
    for (int i = 1; i < NSIG; i++)
      if (known_[i]) sigaction(i, &saved_[i], nullptr);
  }

 private:
  struct sigaction saved_[NSIG];
  bool known_[NSIG] = {};
};

const Library& library() {
  static const Library loaded = [] {
    KeepSignals keep;
    void* handle = dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr)
      throw HostError(
          "MIRROR", ENOENT, "libfabric.so.1",
          std::string("libfabric cannot be loaded, and the mirror needs it (Debian: libfabric1): ") + dlerror());
    Library lib{};
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
      if (function == nullptr)
        throw HostError("MIRROR", ENOSYS, "libfabric.so.1",
                        std::string("this libfabric has no ") + name + "; 1.17 or newer is needed");
    };
    find(lib.getinfo, "fi_getinfo");
    find(lib.freeinfo, "fi_freeinfo");
    find(lib.dupinfo, "fi_dupinfo");
    find(lib.fabric, "fi_fabric");
    find(lib.strerror, "fi_strerror");
    fi_info* all = nullptr;
    if (lib.getinfo(kApi, nullptr, nullptr, 0, nullptr, &all) == 0) lib.freeinfo(all);
    return lib;
  }();
  return loaded;
}

[[noreturn]] void fail(const char* what, long error) {
  throw FabricError(std::string(what) + ": " + library().strerror(int(error < 0 ? -error : error)));
}
void check(const char* what, long result) {
  if (result != 0) fail(what, result);
}
template <class T>
void close_fid(T*& object) {
  if (object != nullptr) fi_close(&object->fid);
  object = nullptr;
}
}  // namespace

struct Fabric::State {
  fi_info* info = nullptr;
  fid_fabric* fabric = nullptr;
  fid_domain* domain = nullptr;
  fid_eq* eq = nullptr;
  fid_cq* cq = nullptr;
  fid_pep* pep = nullptr;
  fid_ep* ep = nullptr;
  struct Region {
    fid_mr* mr;
    uint64_t base;
  };
  std::vector<Region> regions;
  std::vector<int> fds;
  // Providers may keep state in a context until its operation is complete. The index is the operation's number.
  std::vector<fi_context2> contexts = std::vector<fi_context2>(kMaxOutstanding);
  std::vector<fi_context2> receive_contexts;
  uint64_t posted = 0, completed = 0;
  uint64_t since_signal = 0, bytes_since_signal = 0;

  ~State() {
    // The order matters to providers: what refers to another goes first.
    close_fid(ep);
    close_fid(pep);
    for (Region& region : regions) close_fid(region.mr);
    close_fid(cq);
    close_fid(eq);
    close_fid(domain);
    close_fid(fabric);
    if (info != nullptr) library().freeinfo(info);
  }

  void open_endpoint(fi_info* from) {
    check("an endpoint could not be made", fi_endpoint(domain, from, &ep, nullptr));
    check("an endpoint could not be bound to its events", fi_ep_bind(ep, &eq->fid, 0));
    check("an endpoint could not be bound to its completions",
          fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV | FI_SELECTIVE_COMPLETION));
    check("an endpoint could not be enabled", fi_enable(ep));
    // Providers of this mode take a posted receive for each write with immediate data (verbs does, tcp does not).
    if (((info->mode | info->rx_attr->mode) & FI_RX_CQ_DATA) != 0) {
      receive_contexts.resize(std::min(kReceives, info->rx_attr->size));
      for (fi_context2& context : receive_contexts) post_receive(&context);
    }
  }
  void post_receive(void* context) {
    check("a receive could not be posted", fi_recv(ep, nullptr, 0, nullptr, 0, context));
  }

  // The next event of the connection; 0: none in time. Throws on errors. `data` gets the connection data.
  uint32_t event(uint64_t until_ns, fi_info** request, std::vector<uint8_t>* data) {
    for (;;) {
      // The entry is followed by what the peer sent along.
      alignas(fi_eq_cm_entry) uint8_t got[sizeof(fi_eq_cm_entry) + 256];
      uint32_t type = 0;
      const ssize_t n = fi_eq_read(eq, &type, got, sizeof got, 0);
      if (n >= ssize_t(sizeof(fi_eq_cm_entry))) {
        if (data != nullptr) data->assign(got + sizeof(fi_eq_cm_entry), got + n);
        if (type == FI_CONNREQ) *request = reinterpret_cast<fi_eq_cm_entry*>(got)->info;
        return type;
      }
      if (n == -FI_EAVAIL) {
        fi_eq_err_entry error{};
        fi_eq_readerr(eq, &error, 0);
        fail("the transport refused the connection", error.err);
      }
      if (n != -FI_EAGAIN && n != -FI_EINTR) fail("the transport's events cannot be read", n);
      const uint64_t now = monotonic_ns();
      if (now >= until_ns) return 0;
      // Manual progress: somebody has to drive the exchange, so this is a slow poll and not a wait. It runs for some hundred
      // microseconds per connection.
      fi_cq_read(cq, nullptr, 0);
      usleep(100);
    }
  }

  // libfabric's sockets would be inherited by every program that the process starts, and while one of them lives, the peer
  // would not see the connection's end.
  void close_on_exec() {
    uint8_t mine[128], theirs[128];
    size_t mine_bytes = sizeof mine, theirs_bytes = sizeof theirs;
    if (fi_getname(&ep->fid, mine, &mine_bytes) != 0 || fi_getpeer(ep, theirs, &theirs_bytes) != 0) return;
    DIR* dir = opendir("/proc/self/fd");
    if (dir == nullptr) return;
    while (const dirent* entry = readdir(dir)) {
      const int fd = atoi(entry->d_name);
      sockaddr_storage a{}, b{};
      socklen_t a_bytes = sizeof a, b_bytes = sizeof b;
      if (fd > 2 && getsockname(fd, reinterpret_cast<sockaddr*>(&a), &a_bytes) == 0 &&
          getpeername(fd, reinterpret_cast<sockaddr*>(&b), &b_bytes) == 0 && a_bytes <= mine_bytes &&
          b_bytes <= theirs_bytes && memcmp(&a, mine, a_bytes) == 0 && memcmp(&b, theirs, b_bytes) == 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    closedir(dir);
  }
};

void Fabric::load() { library(); }

Fabric::Fabric(const std::string& provider, Role role, const std::string& address, uint16_t port)
    : state_(std::make_unique<State>()) {
  const Library& lib = library();
  State& s = *state_;
  fi_info* hints = lib.dupinfo(nullptr);
  hints->caps = FI_MSG | FI_RMA;
  hints->mode = FI_CONTEXT | FI_CONTEXT2 | FI_RX_CQ_DATA;
  hints->ep_attr->type = FI_EP_MSG;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_ALLOCATED | FI_MR_VIRT_ADDR | FI_MR_PROV_KEY;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->tx_attr->msg_order = FI_ORDER_WAW;
  hints->fabric_attr->prov_name = strdup(provider.c_str());
  const std::string service = std::to_string(port);
  const int result = lib.getinfo(kApi, address.c_str(), port == 0 ? nullptr : service.c_str(),
                                 role == Role::Listen ? FI_SOURCE : 0, hints, &s.info);
  lib.freeinfo(hints);
  if (result != 0)
    fail(("libfabric's provider '" + provider + "' cannot use " + address + " on this host").c_str(), result);
  if (s.info->domain_attr->cq_data_size < 4) fail("the provider has no room for immediate data", FI_ENOSYS);
  check("the fabric could not be opened", lib.fabric(s.info->fabric_attr, &s.fabric, nullptr));
  check("the domain could not be opened", fi_domain(s.fabric, s.info, &s.domain, nullptr));
  fi_eq_attr eq_attr{};
  eq_attr.wait_obj = FI_WAIT_FD;
  check("the event queue could not be opened", fi_eq_open(s.fabric, &eq_attr, &s.eq, nullptr));
  fi_cq_attr cq_attr{};
  cq_attr.format = FI_CQ_FORMAT_DATA;
  cq_attr.size = kMaxOutstanding * 2;
  cq_attr.wait_obj = FI_WAIT_FD;
  check("the completion queue could not be opened", fi_cq_open(s.domain, &cq_attr, &s.cq, nullptr));
  for (fid_t fid : {&s.cq->fid, &s.eq->fid}) {
    int fd = -1;
    check("the transport has nothing to wait for", fi_control(fid, FI_GETWAIT, &fd));
    s.fds.push_back(fd);
  }
  if (role == Role::Listen) {
    check("a listener could not be made", fi_passive_ep(s.fabric, s.info, &s.pep, nullptr));
    check("a listener could not be bound", fi_pep_bind(s.pep, &s.eq->fid, 0));
    check("the transport cannot listen", fi_listen(s.pep));
  }
}

Fabric::~Fabric() = default;

int Fabric::share(void* base, size_t bytes, bool peer_writes) {
  State& s = *state_;
  uint64_t key = 0;
  random_bytes(&key, sizeof key);
  const size_t key_size = s.info->domain_attr->mr_key_size;
  if (key_size < 8) key &= (1ull << (key_size * 8)) - 1;
  fid_mr* mr = nullptr;
  check("memory could not be registered with the transport",
        fi_mr_reg(s.domain, base, bytes, peer_writes ? FI_REMOTE_WRITE : FI_WRITE, 0, key, 0, &mr, nullptr));
  s.regions.push_back(
      {mr, (s.info->domain_attr->mr_mode & FI_MR_VIRT_ADDR) != 0 ? reinterpret_cast<uint64_t>(base) : 0});
  return int(s.regions.size()) - 1;
}

RemoteMemory Fabric::shared(int id) const {
  const State::Region& region = state_->regions[size_t(id)];
  return {region.base, fi_mr_key(region.mr)};
}

void Fabric::withdraw(int id) { close_fid(state_->regions[size_t(id)].mr); }

uint16_t Fabric::port() const {
  sockaddr_storage name{};
  size_t bytes = sizeof name;
  check("the listener has no address", fi_getname(&state_->pep->fid, &name, &bytes));
  return ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(name).sin6_port
                                          : reinterpret_cast<sockaddr_in&>(name).sin_port);
}

void Fabric::accept(const void* token, size_t bytes, uint64_t until_ns) {
  State& s = *state_;
  for (;;) {
    fi_info* request = nullptr;
    std::vector<uint8_t> shown;
    const uint32_t type = s.event(until_ns, &request, &shown);
    if (type == 0) throw FabricError("the primary did not connect to the transport in time");
    if (type == FI_CONNREQ) {
      // Whoever finds the port while it is open cannot know the token.
      if (s.ep != nullptr || shown.size() < bytes || memcmp(shown.data(), token, bytes) != 0) {
        fi_reject(s.pep, request->handle, nullptr, 0);
        library().freeinfo(request);
        continue;
      }
      s.open_endpoint(request);
      library().freeinfo(request);
      check("the transport could not accept", fi_accept(s.ep, nullptr, 0));
    } else if (type == FI_CONNECTED) {
      close_fid(s.pep);
      s.close_on_exec();
      return;
    } else {
      throw FabricError("the primary left while the transport connected");
    }
  }
}

void Fabric::connect(const void* token, size_t bytes, uint64_t until_ns) {
  State& s = *state_;
  s.open_endpoint(s.info);
  check("the transport cannot connect", fi_connect(s.ep, s.info->dest_addr, token, bytes));
  fi_info* request = nullptr;
  const uint32_t type = s.event(until_ns, &request, nullptr);
  if (type == 0) throw FabricError("the backup's transport did not answer in time");
  if (type != FI_CONNECTED) throw FabricError("the backup's transport turned the connection away");
  s.close_on_exec();
}

bool Fabric::write(int id, const void* from, size_t bytes, RemoteMemory to, uint64_t to_offset, uint32_t immediate) {
  State& s = *state_;
  if (s.posted - s.completed >= kMaxOutstanding) return false;
  void* description = fi_mr_desc(s.regions[size_t(id)].mr);
  const iovec local{const_cast<void*>(from), bytes};
  const fi_rma_iov remote{to.address + to_offset, bytes, to.key};
  fi_msg_rma message{};
  message.msg_iov = &local;
  message.desc = &description;
  message.iov_count = 1;
  message.rma_iov = &remote;
  message.rma_iov_count = 1;
  message.context = &s.contexts[s.posted % kMaxOutstanding];
  message.data = immediate;
  uint64_t flags = FI_REMOTE_CQ_DATA;
  if (s.since_signal + 1 >= kSignalEvery || s.bytes_since_signal + bytes >= kSignalBytes)
    // What is asked is only when the source may change; that the data arrived, the peer says by its watermark.
    flags |= FI_COMPLETION | FI_INJECT_COMPLETE;
  const ssize_t result = fi_writemsg(s.ep, &message, flags);
  if (result == -FI_EAGAIN) return false;
  if (result != 0) fail("a write was not taken", result);
  s.posted++;
  const bool signalled = (flags & FI_COMPLETION) != 0;
  s.since_signal = signalled ? 0 : s.since_signal + 1;
  s.bytes_since_signal = signalled ? 0 : s.bytes_since_signal + bytes;
  return true;
}

uint64_t Fabric::posted() const { return state_->posted; }
uint64_t Fabric::completed() const { return state_->completed; }

Fabric::Polled Fabric::poll() {
  State& s = *state_;
  Polled polled;
  fi_cq_data_entry entries[std::size(polled.immediates)];
  const ssize_t n = fi_cq_read(s.cq, entries, std::size(entries));
  if (n == -FI_EAGAIN || n == -FI_EINTR) return polled;
  if (n == -FI_EAVAIL) {
    fi_cq_err_entry error{};
    fi_cq_readerr(s.cq, &error, 0);
    fail("the transport lost the connection", error.err);
  }
  if (n < 0) fail("the transport's completions cannot be read", n);
  for (ssize_t i = 0; i < n; i++) {
    const fi_cq_data_entry& entry = entries[i];
    if ((entry.flags & FI_REMOTE_CQ_DATA) != 0) {
      polled.immediates[polled.count++] = uint32_t(entry.data);
      if (!s.receive_contexts.empty()) s.post_receive(entry.op_context);
    } else if ((entry.flags & FI_WRITE) != 0) {
      const uint64_t index = uint64_t(static_cast<fi_context2*>(entry.op_context) - s.contexts.data());
      // The number of the operation is the next one of this index at or after the latest completed.
      s.completed += (index + kMaxOutstanding - s.completed % kMaxOutstanding) % kMaxOutstanding + 1;
    }
  }
  polled.any = n > 0;
  return polled;
}

bool Fabric::may_sleep() {
  fid_t waits[2] = {&state_->cq->fid, &state_->eq->fid};
  return fi_trywait(state_->fabric, waits, 2) == 0;
}

const std::vector<int>& Fabric::wait_fds() const { return state_->fds; }

std::string Fabric::ended() {
  State& s = *state_;
  fi_eq_cm_entry entry;
  uint32_t type = 0;
  const ssize_t n = fi_eq_read(s.eq, &type, &entry, sizeof entry, 0);
  if (n == -FI_EAVAIL) {
    fi_eq_err_entry error{};
    fi_eq_readerr(s.eq, &error, 0);
    return std::string("the transport reported: ") + library().strerror(error.err);
  }
  return n > 0 && type == FI_SHUTDOWN ? "the peer ended the connection" : "";
}

}  // namespace understudy::host
