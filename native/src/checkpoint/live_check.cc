// See live_check.h.
#include "live_check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>

#include "resets.h"

namespace understudy::host::checkpoint {
namespace {

[[noreturn]] void refuse(const std::string& what, int error = ENOTSUP, const std::string& path = "") {
  throw HostError("CHECKPOINT_UNSUPPORTED", error, path, "the checkpoint cannot go on live: " + what);
}

class Check {
 public:
  explicit Check(const Restore& restore) : restore_(restore), o_(*restore.kernel()) {}

  std::vector<std::string> run() {
    if (!o_.missing.empty()) refuse(o_.missing.front());
    system_v();
    shared_files();
    for (size_t i = 0; i < o_.files.size(); i++) {
      if (is_standard(i)) continue;
      if (o_.files[i].kind == OpenFile::kFile && !o_.files[i].deleted) file(i);
      if (o_.files[i].kind == OpenFile::kInet) port(i);
      if (o_.files[i].kind == OpenFile::kUnix) unix_name(i);
    }
    return std::move(warnings_);
  }

 private:
  bool is_standard(size_t i) const {
    return std::find(o_.standard.begin(), o_.standard.end(), int64_t(i)) != o_.standard.end();
  }
  std::string place_of(size_t i) const {
    for (const Descriptor& d : o_.descriptors)
      if (d.file == i) return " (descriptor " + std::to_string(d.fd) + " of process " + std::to_string(d.pid) + ")";
    return "";
  }

  void system_v() const {
    const char* what = !o_.semaphores.empty() ? "semaphores"
                       : !o_.queues.empty()   ? "message queues"
                       : !o_.segments.empty() ? "shared memory"
                                              : nullptr;
    if (what != nullptr)
      refuse(std::string("the program has System V ") + what +
             ", which are not made again; `understudy replay --from` "
             "shows what it did");
  }

  // What is mapped shared is a copy, private to the group: right for anonymous memory, and for what nobody can write to.
  void shared_files() const {
    for (const SharedState& object : restore_.group().shared) {
      if (object.kind != SharedState::kFile) continue;
      for (const Space& space : restore_.manifest().spaces)
        for (const Region& region : space.regions) {
          uint32_t kind = 0;
          uint64_t number = 0;
          if (!decode_region_kind(region.extra, &kind, &number) || kind != abi::kRestoreShared ||
              number != object.space || (region.prot & PROT_WRITE) == 0)
            continue;
          refuse("process " + std::to_string(space.pid) + " (" + space.name + ") has mapped " + region.name +
                 " shared and writable; what it wrote there would not reach the file");
        }
    }
  }

  void file(size_t i) {
    const OpenFile& f = o_.files[i];
    // Of the namespace that is made for the program.
    if (f.path.starts_with("/proc/")) return;
    if (f.path.starts_with("/dev/shm/") || f.path.starts_with("/dev/mqueue/"))
      refuse(f.path + place_of(i) + " was in the program's own " + f.path.substr(0, f.path.find('/', 5)) +
             ", which ended with it");
    struct stat st {};
    if (stat(f.path.c_str(), &st) != 0)
      refuse("it has " + f.path + " open" + place_of(i) + ": " + errno_text(errno) + "; put the file back where it was",
             errno, f.path);
    if ((st.st_mode & S_IFMT) != (f.mode & S_IFMT))
      refuse("it has " + f.path + " open" + place_of(i) + ", which is a file of another kind now", EINVAL, f.path);
    if (!S_ISREG(st.st_mode)) return;
    const uint64_t least = std::max(f.bytes, uint64_t(std::max<int64_t>(f.position, 0)));
    if (uint64_t(st.st_size) < least)
      refuse("it has " + f.path + " open" + place_of(i) + ", which had " + std::to_string(least) +
                 " bytes then and has " + std::to_string(st.st_size) + " now; put the file back as it was",
             EINVAL, f.path);
    const uint64_t changed_ns = uint64_t(st.st_mtim.tv_sec) * 1'000'000'000 + uint64_t(st.st_mtim.tv_nsec);
    if (changed_ns > restore_.manifest().time_ns)
      warnings_.push_back(f.path + place_of(i) +
                          " has changed since the checkpoint; the program goes on with what is in it now");
  }

  void port(size_t i) const {
    const InetSocket& s = o_.inet_sockets[size_t(o_.files[i].object)];
    const int error = try_port(s);
    if (error == 0) return;
    const std::string address = text_of_address(s.local);
    refuse("it was bound to " + address + place_of(i) + ": " + errno_text(error) +
               (error == EADDRINUSE ? "; end what has the port now" : ""),
           error);
  }

  // The name is taken from who has it, as a server does that finds what an earlier one has left. Not from one that lives.
  void unix_name(size_t i) const {
    const UnixSocket& s = o_.unix_sockets[size_t(o_.files[i].object)];
    if (s.address.empty() || (!s.listening && s.type != SOCK_DGRAM)) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (s.address.size() > sizeof address.sun_path) return;
    memcpy(address.sun_path, s.address.data(), s.address.size());
    const bool abstract = s.address[0] == '\0';
    const UniqueFd probe(socket(AF_UNIX, int(s.type) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto length = socklen_t(offsetof(sockaddr_un, sun_path) + s.address.size() + (abstract ? 0 : 1));
    if (!probe || (connect(probe.get(), reinterpret_cast<sockaddr*>(&address),
                           std::min(length, socklen_t(sizeof address))) != 0 &&
                   errno != EAGAIN))
      return;
    refuse("it was bound to the unix socket " + (abstract ? "@" + s.address.substr(1) : s.address) + place_of(i) +
               ", which another program has now; end that",
           EADDRINUSE);
  }

  const Restore& restore_;
  const KernelObjects& o_;
  std::vector<std::string> warnings_;
};

[[noreturn]] void cannot_bring(const std::string& path, int error) {
  throw HostError("JOURNAL_DIR", error, path, "cannot bring " + path + " into the new journal: " + errno_text(error));
}

// The contents of both never change: one file may be in two journals.
void bring(const std::string& from, const std::string& to) {
  if (link(from.c_str(), to.c_str()) == 0 || errno == EEXIST) return;
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  if (error) cannot_bring(from, error.value());
}

}  // namespace

std::vector<std::string> check_live(const Restore& restore) {
  if ((restore.group().flags & abi::kFlagPidNamespace) == 0)
    refuse(
        "it was recorded without --isolate, and the numbers of its processes are those of the whole machine, which "
        "cannot "
        "be given again; record with --isolate");
  if (!restore.kernel()) refuse("it does not say what the program had open; it was taken by an older version");
  return Check(restore).run();
}

void bring_checkpoint(const Restore& restore, const std::string& from_journal, const std::string& to_journal) {
  const std::string dir = checkpoint_dir(to_journal);
  if (const int error = make_dirs(dir)) cannot_bring(dir, error);
  for (uint32_t i = 0; i < restore.chain().size(); i++) {
    const std::string& path = restore.chain().file(i).path();
    bring(path, dir + path.substr(path.rfind('/')));
  }
  for (const BlobState& blob : restore.group().blobs)
    bring(from_journal + "/blobs/" + blob.sha, to_journal + "/blobs/" + blob.sha);
}

}  // namespace understudy::host::checkpoint
