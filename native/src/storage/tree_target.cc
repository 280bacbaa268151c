// See tree_target.h.
#include "storage/tree_target.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <algorithm>
#include <memory>

namespace understudy::host::storage {
namespace {

[[noreturn]] void fail(const char* doing, const std::string& what) {
  const int error = errno;
  throw HostError(
      "STORAGE", error, what,
      std::string("cannot ") + doing + " " + what + ": " + errno_text(error) +
          (error == ENOSPC || error == EDQUOT ? "; the old copy stays until the new one is whole, so both need room"
                                              : ""));
}
[[noreturn]] void refuse(const std::string& what) {
  throw HostError("STORAGE", EBADMSG, "", "the mirror carries records of storage that do not fit together: " + what);
}

timespec time_of(int64_t ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t seconds = ns / kSecond - (ns % kSecond < 0 ? 1 : 0);
  return {seconds, ns - seconds * kSecond};
}

// Never out of `dir`, and through no link: what comes may hold any.
UniqueFd open_below(int dir, const std::string& path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(int(syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how)));
}

std::vector<std::string> names_in(int dir, const std::string& what) {
  const int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> list(copy < 0 ? nullptr : fdopendir(copy), closedir);
  if (list == nullptr) {
    if (copy >= 0) close(copy);
    fail("look into", what);
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* one = readdir(list.get());
    if (one == nullptr) {
      if (errno != 0) fail("look into", what);
      return names;
    }
    const std::string name = one->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
}

// With all that is in it; nothing is fine, too.
void remove_at(int dir, const std::string& name, const std::string& what) {
  if (unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) fail("remove", what);
  {
    const UniqueFd fd(openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) fail("remove", what);
    for (const std::string& child : names_in(fd.get(), what))
      remove_at(fd.get(), child, std::string(what).append("/").append(child));
  }
  if (unlinkat(dir, name.c_str(), AT_REMOVEDIR) != 0) fail("remove", what);
}

void set_attributes(int fd, const Entry& entry, const std::string& what, const TreeTarget::Report& report) {
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t bytes = entry.fresh ? 0 : flistxattr(fd, names.data(), names.size());
  for (ssize_t at = 0; at < bytes;) {
    const std::string name = names.data() + at;
    at += ssize_t(name.size()) + 1;
    const bool stays = std::any_of(entry.attributes.begin(), entry.attributes.end(),
                                   [&](const auto& attribute) { return attribute.first == name; });
    if (!stays && name.starts_with("user.") && fremovexattr(fd, name.c_str()) != 0) fail("set the attributes of", what);
  }
  for (const auto& [name, value] : entry.attributes)
    if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0) {
      // Labels and the like are each host's own business; without one a file is still the file.
      if (errno != EPERM && errno != ENOTSUP) fail("set the attributes of", what);
      report(std::string("the attribute ").append(name).append(" of ").append(what).append(" is left out: ") +
             errno_text(errno));
    }
}

// Owner before mode: a change of owner takes the set-id bits away.
void set_owner(int fd, const Entry& entry, const std::string& what) {
  if (fchown(fd, entry.uid, entry.gid) != 0) fail("set the owner of", what);
  if (fchmod(fd, entry.mode & 07777) != 0) fail("set the mode of", what);
}

}  // namespace

TreeTarget::TreeTarget(std::vector<std::string> roots, Report report) : report_(std::move(report)) {
  for (std::string& dir : roots) roots_.push_back({std::move(dir), {}, {}, {}, {}});
}

TreeTarget::~TreeTarget() {
  if (placed_ || !begun_) return;
  for (const Root& root : roots_) {
    try {
      if (root.fd) remove_at(root.fd.get(), kComing, root.dir + "/" + kComing);
    } catch (const HostError& error) { report_(error.what()); }
  }
}

void TreeTarget::take(std::string_view bytes) {
  const Record record = decode_record(bytes);
  if (record.kind != RecordKind::kData) end_file();
  if ((record.kind == RecordKind::kBegin) == begun_ || complete_) refuse("their order");
  switch (record.kind) {
    case RecordKind::kBegin: return begin(record.roots);
    case RecordKind::kEntry: return make(record.entry);
    case RecordKind::kData: {
      if (!file_) refuse("data of no file");
      const char* p = record.bytes.data();
      for (size_t done = 0; done < record.bytes.size();) {
        const ssize_t n = pwrite(file_.get(), p + done, record.bytes.size() - done, off_t(record.offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail("write", file_path_);
        done += size_t(n);
      }
      bytes_ += record.bytes.size();
      return;
    }
    case RecordKind::kGone: {
      const Root& root = root_of(record.entry.root);
      const Place place = place_of(root, record.entry.path, true);
      if (place.dir) remove_at(place.dir.get(), place.name, root.dir + "/" + record.entry.path);
      return;
    }
    case RecordKind::kEnd: complete_ = record.last; return;
  }
}

void TreeTarget::begin(uint64_t roots) {
  if (roots != roots_.size())
    refuse("of " + std::to_string(roots) + " directories, where this host's definition has " +
           std::to_string(roots_.size()));
  begun_ = true;
  for (Root& root : roots_) {
    if (const int error = make_dirs(root.dir); error != 0) {
      errno = error;
      fail("make", root.dir);
    }
    root.fd = UniqueFd(open(root.dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.fd) fail("open", root.dir);
    // Of a transfer that was broken off.
    for (const char* left : {kComing, kBefore}) remove_at(root.fd.get(), left, root.dir + "/" + left);
    const std::string coming = root.dir + "/" + kComing;
    if (mkdirat(root.fd.get(), kComing, 0700) != 0) fail("make", coming);
    root.coming = UniqueFd(openat(root.fd.get(), kComing, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root.coming) fail("open", coming);
  }
}

TreeTarget::Root& TreeTarget::root_of(uint32_t index) {
  if (index >= roots_.size()) refuse("a root that there is not");
  return roots_[index];
}

TreeTarget::Place TreeTarget::place_of(const Root& root, const std::string& path, bool may_lack) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
  UniqueFd dir = open_below(root.coming.get(), parent, O_RDONLY | O_DIRECTORY);
  if (!dir && !(may_lack && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)))
    fail("open", root.dir + "/" + parent);
  return {std::move(dir), slash == std::string::npos ? path : path.substr(slash + 1)};
}

void TreeTarget::make(const Entry& entry) {
  Root& root = root_of(entry.root);
  const std::string what = root.dir + "/" + entry.path;
  if (entry.path.empty()) {
    if (!S_ISDIR(entry.mode)) refuse("a root that is no directory");
    root.self = entry;
    return;
  }
  if (S_ISREG(entry.mode) && !entry.hard_link) return make_file(root, entry);
  const Place place = place_of(root, entry.path, false);
  const int dir = place.dir.get();
  const char* name = place.name.c_str();
  if (entry.fresh) remove_at(dir, place.name, what);
  if (entry.hard_link) {
    const Place other = place_of(root, entry.target, false);
    if (linkat(other.dir.get(), other.name.c_str(), dir, name, 0) != 0) fail("link", what);
    return;
  }
  if (S_ISDIR(entry.mode)) {
    if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST) fail("make", what);
    const UniqueFd fd(openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) fail("open", what);
    set_owner(fd.get(), entry, what);
    set_attributes(fd.get(), entry, what, report_);
    root.directories.push_back({entry.path, entry.mtime_ns});
    return;
  }
  if (S_ISLNK(entry.mode) ? symlinkat(entry.target.c_str(), dir, name) != 0
                          : mknodat(dir, name, entry.mode, entry.device) != 0)
    fail("make", what);
  if (fchownat(dir, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) fail("set the owner of", what);
  if (!S_ISLNK(entry.mode) && fchmodat(dir, name, entry.mode & 07777, 0) != 0) fail("set the mode of", what);
  const timespec times[2] = {{0, UTIME_OMIT}, time_of(entry.mtime_ns)};
  if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) != 0) fail("set the time of", what);
}

void TreeTarget::make_file(Root& root, const Entry& entry) {
  file_path_ = root.dir + "/" + entry.path;
  const Place place = place_of(root, entry.path, false);
  if (entry.fresh) remove_at(place.dir.get(), place.name, file_path_);
  file_ = UniqueFd(openat(place.dir.get(), place.name.c_str(),
                          O_RDWR | O_NOFOLLOW | O_CLOEXEC | (entry.fresh ? O_CREAT | O_EXCL : 0), 0600));
  if (!file_) fail("open", file_path_);
  if (ftruncate(file_.get(), off_t(entry.size)) != 0) fail("set the size of", file_path_);
  set_owner(file_.get(), entry, file_path_);
  set_attributes(file_.get(), entry, file_path_, report_);
  file_mtime_ns_ = entry.mtime_ns;
}

// Writing its data has changed its time.
void TreeTarget::end_file() {
  if (!file_) return;
  const timespec times[2] = {{0, UTIME_OMIT}, time_of(file_mtime_ns_)};
  if (futimens(file_.get(), times) != 0) fail("set the time of", file_path_);
  file_.reset();
}

void TreeTarget::put_in_place() {
  if (!complete_) refuse("the state came before all of its storage");
  for (Root& root : roots_) put_in_place(root);
  placed_ = true;
}

void TreeTarget::put_in_place(Root& root) {
  // What was made in them has changed their times; the innermost come last among what was told.
  for (const Directory& directory : root.directories) {
    const UniqueFd fd = open_below(root.coming.get(), directory.path, O_RDONLY | O_DIRECTORY);
    if (!fd) continue;  // gone since
    const timespec times[2] = {{0, UTIME_OMIT}, time_of(directory.mtime_ns)};
    if (futimens(fd.get(), times) != 0) fail("set the time of", root.dir + "/" + directory.path);
  }
  const int fd = root.fd.get();
  if (mkdirat(fd, kBefore, 0700) != 0) fail("make", root.dir + "/" + kBefore);
  const UniqueFd before(openat(fd, kBefore, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!before) fail("open", root.dir + "/" + kBefore);
  for (const std::string& name : names_in(fd, root.dir)) {
    if (name == kComing || name == kBefore || renameat(fd, name.c_str(), before.get(), name.c_str()) == 0) continue;
    const int error = errno;
    for (const std::string& back : names_in(before.get(), root.dir + "/" + kBefore))
      if (renameat(before.get(), back.c_str(), fd, back.c_str()) != 0) fail("put back", root.dir + "/" + back);
    errno = error;
    fail(error == EBUSY ? "replace what other file systems are mounted upon," : "put away", root.dir + "/" + name);
  }
  for (const std::string& name : names_in(root.coming.get(), root.dir + "/" + kComing))
    if (renameat(root.coming.get(), name.c_str(), fd, name.c_str()) != 0) fail("put in place", root.dir + "/" + name);
  root.coming.reset();
  if (unlinkat(fd, kComing, AT_REMOVEDIR) != 0) fail("remove", root.dir + "/" + kComing);
  if (!root.self.path.empty() || S_ISDIR(root.self.mode)) {
    set_owner(fd, root.self, root.dir);
    set_attributes(fd, root.self, root.dir, report_);
  }
  // The guest has been told that what it synced is on the disk: on this host's, too, from now on.
  if (syncfs(fd) != 0) fail("sync", root.dir);
}

void TreeTarget::forget_before() {
  for (const Root& root : roots_) {
    if (root.fd) remove_at(root.fd.get(), kBefore, root.dir + "/" + kBefore);
    if (!S_ISDIR(root.self.mode)) continue;
    const timespec times[2] = {{0, UTIME_OMIT}, time_of(root.self.mtime_ns)};
    if (futimens(root.fd.get(), times) != 0) fail("set the time of", root.dir);
  }
}

}  // namespace understudy::host::storage
