// See service.h.
#include "service.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include <vector>

#include "checkpoint/page_tracker.h"
#include "probe.h"

namespace understudy::host {
namespace {
constexpr int kTickMs = 10;
constexpr int kIdleMs = 500;  // only covers a wake-up between the check of stopping_ and the wait
constexpr uint64_t kAnswerSpinNs = 20'000;
}  // namespace

Service::Service(MemoryFile& memory, BlobStore& blobs, SiteStore& sites, Warden& warden, Launcher* launcher,
                 const Enclosure& enclosure, Hooks hooks)
    : memory_(memory),
      blobs_(blobs),
      sites_(sites),
      warden_(warden),
      launcher_(launcher),
      enclosure_(enclosure),
      hooks_(std::move(hooks)) {
  thread_ = start_thread("us-service", [this] { run(); });
  if (memory.control().mode == abi::kModeRecord) start_kicker();
}

void Service::start_kicker() {
  kicker_ = start_thread("us-kicker", [this] { run_kicker(); });
}

Service::~Service() { stop(); }

void Service::stop() {
  if (!thread_.joinable()) return;
  store_release(stopping_, 1u);
  futex_wake_all(&memory_.control().rpc.state);
  futex_wake_all(&memory_.control().attention);
  thread_.join();
  if (kicker_.joinable()) kicker_.join();
}

void Service::run() {
  abi::Rpc& rpc = memory_.control().rpc;
  while (load_acquire(stopping_) == 0) {
    const uint32_t state = load_acquire(rpc.state);
    if (state != abi::kRpcRequest) {
      futex_wait(&rpc.state, state, kIdleMs);
      continue;
    }
    handle();
    store_release(rpc.state, uint32_t(abi::kRpcDone));
    futex_wake_all(&rpc.state);
    // Requests come in bursts (a library is mapped, then its sites are asked for).
    for (uint64_t until = monotonic_ns() + kAnswerSpinNs;
         monotonic_ns() < until && load_acquire(rpc.state) != abi::kRpcRequest;)
      __builtin_ia32_pause();
  }
}

void Service::handle() {
  abi::Rpc& rpc = memory_.control().rpc;
  int64_t result = -ENOSYS;
  caller_ = enclosure_.host_pid(rpc.pid);
  // What a guest asks must not end the host.
  try {
    switch (rpc.op) {
      case abi::kRpcJoin:
        result = rpc.a[0] < abi::kMaxProcesses ? warden_.join(rpc.pid, uint32_t(rpc.a[0])) : -EINVAL;
        break;
      case abi::kRpcExecBegin:
        result = launcher_ != nullptr ? launcher_->exec_begin(caller_, enclosure_.host_pid(rpc.tid)) : -ENOSYS;
        break;
      case abi::kRpcExecFailed:
        result = launcher_ != nullptr ? launcher_->exec_failed(enclosure_.host_pid(rpc.tid)) : -ENOSYS;
        break;
      case abi::kRpcMapFile: result = map_file(); break;
      case abi::kRpcSites: result = sites(); break;
      case abi::kRpcMapBlob: result = map_blob(); break;
      case abi::kRpcPickSite: result = pick_probe_site(); break;
      case abi::kRpcProbeStub: result = make_probe_stub(); break;
      case abi::kRpcTrack:
        result = 0;
        if (hooks_.track && rpc.a[0] < abi::kMaxProcesses)
          hooks_.track(uint32_t(rpc.a[0]), caller_, checkpoint::take_descriptor(caller_, int(rpc.a[1])));
        break;
      case abi::kRpcMessage:
        if (rpc.payload_len <= abi::kRpcSize) {
          hooks_.message(abi::MessageLevel(rpc.a[0]),
                         std::string(reinterpret_cast<char*>(memory_.rpc_payload()), rpc.payload_len));
          result = 0;
        } else {
          result = -EINVAL;
        }
        break;
      default: break;
    }
  } catch (const std::exception& error) {
    hooks_.message(abi::kError, std::string("a request of the agent failed: ") + error.what());
    result = -EIO;
  }
  rpc.result = result;
}

int64_t Service::map_file() {
  abi::Rpc& rpc = memory_.control().rpc;
  Capture capture{};
  bool journal_failed = false;
  if (int error = blobs_.capture(caller_, int(rpc.a[0]), &capture, &journal_failed)) {
    if (journal_failed) hooks_.journal_failed(-error, blobs_.blob_dir());
    return error;
  }
  rpc.r[0] = capture.index;
  rpc.r[1] = capture.size;
  rpc.r[2] = capture.dev;
  rpc.r[3] = capture.ino;
  rpc.r[4] = capture.is_new ? 1 : 0;
  if (capture.is_new && hooks_.new_blob) {
    const std::string sha = hex(capture.sha.data(), capture.sha.size());
    hooks_.new_blob(blobs_.path_of(sha), capture.sha);
  }
  memcpy(memory_.rpc_payload(), capture.sha.data(), capture.sha.size());
  memcpy(memory_.rpc_payload() + capture.sha.size(), capture.path.data(), capture.path.size());
  rpc.payload_len = capture.sha.size() + capture.path.size();
  return 0;
}

int64_t Service::map_blob() {
  abi::Rpc& rpc = memory_.control().rpc;
  Sha256 sha;
  if (rpc.payload_len < sha.size()) return -EINVAL;
  memcpy(sha.data(), memory_.rpc_payload(), sha.size());
  const std::string name = hex(sha.data(), sha.size());
  std::string path = blobs_.path_of(name);
  if (access(path.c_str(), R_OK) != 0) {
    const int error = errno;
    hooks_.message(abi::kError,
                   "the journal has no readable copy of a mapped file: " + path + ": " + errno_text(error));
    return -error;
  }
  blobs_.declare(rpc.a[0], sha);
  // As the guest finds it, which may be elsewhere.
  path = std::string(memory_.control().blob_dir) + "/" + name;
  memcpy(memory_.rpc_payload(), path.data(), path.size());
  rpc.payload_len = path.size();
  return 0;
}

int64_t Service::sites() {
  abi::Rpc& rpc = memory_.control().rpc;
  const std::string sha = blobs_.sha_of(rpc.a[0]);
  if (sha.empty()) return -ENOENT;
  const uint64_t offset = rpc.a[1], len = rpc.a[2], address = rpc.a[3], trampolines = rpc.a[4];
  std::shared_ptr<const SiteMap> map = sites_.get(sha, blobs_.path_of(sha));
  if (map == nullptr) return -EIO;
  if (trampolines == 0) {
    const SiteSizes sizes = bound_sizes(*map, offset, len);
    rpc.r[0] = sizes.trampoline_bytes;
    rpc.r[1] = sizes.patches;
    rpc.payload_len = 0;
    return 0;
  }
  Rewrite rewrite = generate(*map, offset, len, address, trampolines, memory_.control().entry);
  const size_t patch_bytes = rewrite.patches.size() * sizeof(abi::Patch);
  if (patch_bytes + rewrite.trampolines.size() > abi::kRpcSize) return -E2BIG;
  memcpy(memory_.rpc_payload(), rewrite.patches.data(), patch_bytes);
  memcpy(memory_.rpc_payload() + patch_bytes, rewrite.trampolines.data(), rewrite.trampolines.size());
  rpc.r[0] = rewrite.trampolines.size();
  rpc.r[1] = rewrite.patches.size();
  rpc.payload_len = patch_bytes + rewrite.trampolines.size();
  std::lock_guard lock(mutex_);
  for (const TrampolineOrigin& origin : rewrite.origins) origins_[origin.begin] = origin;
  return 0;
}

int64_t Service::pick_probe_site() {
  abi::Rpc& rpc = memory_.control().rpc;
  const uint64_t count = rpc.a[0];
  if (count > abi::kRpcSize / sizeof(uint64_t) || rpc.payload_len < count * sizeof(uint64_t)) return -EINVAL;
  std::vector<uint64_t> rips(count);
  memcpy(rips.data(), memory_.rpc_payload(), count * sizeof(uint64_t));
  rpc.r[0] = pick_site(caller_, rips);
  rpc.payload_len = 0;
  return 0;
}

int64_t Service::make_probe_stub() {
  abi::Rpc& rpc = memory_.control().rpc;
  if (rpc.a[1] == 0) {
    rpc.r[0] = kProbeStubMax;
    rpc.payload_len = 0;
    return 0;
  }
  abi::ProbeSpec spec;
  if (rpc.payload_len < sizeof spec) return -EINVAL;
  memcpy(&spec, memory_.rpc_payload(), sizeof spec);
  ProbeStub stub{};
  if (int64_t error = probe_stub(caller_, rpc.a[0], rpc.a[1], spec, &stub)) return error;
  memcpy(memory_.rpc_payload(), stub.bytes.data(), stub.bytes.size());
  memcpy(memory_.rpc_payload() + stub.bytes.size(), stub.patch, sizeof stub.patch);
  rpc.r[0] = stub.bytes.size();
  rpc.r[1] = stub.trap;
  rpc.r[2] = stub.body;
  rpc.r[3] = stub.covered;
  rpc.payload_len = stub.bytes.size() + sizeof stub.patch;
  return 0;
}

uint64_t Service::original_address(uint64_t address) const {
  std::lock_guard lock(mutex_);
  auto next = origins_.upper_bound(address);
  if (next == origins_.begin()) return address;
  const TrampolineOrigin& origin = std::prev(next)->second;
  if (address >= origin.end) return address;
  return address < origin.continuation ? origin.site : origin.after;
}

void Service::run_kicker() {
  abi::Control& control = memory_.control();
  std::map<uint32_t, uint64_t> since;  // by slot: when its request was seen first
  while (load_acquire(stopping_) == 0) {
    if (load_acquire(control.attention) == 0) {
      since.clear();
      futex_wait(&control.attention, 0, kIdleMs);
      continue;
    }
    const uint64_t now = monotonic_ns();
    const uint32_t requests = load_acquire(control.attention);
    for (uint32_t i = 0; i < abi::kMaxThreads; i++) {
      abi::ThreadSlot& slot = control.threads[i];
      if (load_acquire(slot.attention) != 1) {
        since.erase(i);
        continue;
      }
      const auto [entry, is_new] = since.try_emplace(i, now);
      const uint64_t first = entry->second;
      const bool waits = load_acquire(slot.state) == abi::kThreadLive &&
                         load_acquire(slot.events) == slot.attention_seq;
      if (waits && now - first < (uint64_t(control.kick_after_ms) + slot.patience_ms) * 1000000) {
        // Who asks has waited for a while already; that is enough where the answer is known.
        if (is_new) kick(slot, abi::kKickHint);
        continue;
      }
      if (waits) kick(slot, abi::kKickMagic);
      // Done with, or moot because the thread made an event: whoever still waits asks again. The count goes down with the flag.
      since.erase(i);
      if (__atomic_exchange_n(&slot.attention, 0, __ATOMIC_SEQ_CST) == 1)
        __atomic_fetch_sub(&control.attention, 1, __ATOMIC_SEQ_CST);
      // Unless somebody asked anew between the look and the withdrawal: then the request stands.
      if (!waits && load_acquire(slot.events) == __atomic_load_n(&slot.attention_seq, __ATOMIC_SEQ_CST) &&
          __atomic_exchange_n(&slot.attention, 1, __ATOMIC_SEQ_CST) == 0)
        __atomic_fetch_add(&control.attention, 1, __ATOMIC_SEQ_CST);
    }
    // The tick is no longer than what is waited for, and no shorter than a millisecond.
    const int tick = std::max(1, std::min(kTickMs, int(control.kick_after_ms) / 2));
    futex_wait(&control.attention, requests, tick);
  }
}

void Service::kick(const abi::ThreadSlot& slot, int64_t value) const {
  siginfo_t info{};
  info.si_signo = SIGSYS;
  info.si_code = SI_QUEUE;  // the only code that the kernel lets another process use and that carries a value
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(value);
  // It may have ended meanwhile; then there is nothing to interrupt.
  const pid_t pid = enclosure_.host_pid(slot.pid), tid = enclosure_.host_pid(slot.tid);
  if (pid > 0 && tid > 0) syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGSYS, &info);
}

}  // namespace understudy::host
