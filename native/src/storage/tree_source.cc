// See tree_source.h.
#include "storage/tree_source.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include <algorithm>
#include <memory>

#include "sha256.h"

namespace understudy::host::storage {
namespace {

// Times of files are those of a coarse clock's last tick, 10 ms at most: what was read within this of a change may be of before it.
constexpr int64_t kTimesAreLateNs = 50'000'000;

[[noreturn]] void fail(const char* doing, const std::string& what) {
  const int error = errno;
  throw HostError("STORAGE", error, what,
                  std::string("cannot ") + doing + " " + what + " for the new backup: " + errno_text(error));
}

int64_t nanoseconds(const timespec& t) { return int64_t(t.tv_sec) * 1'000'000'000 + t.tv_nsec; }

// All but the time of the last access.
bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_nlink == b.st_nlink &&
         a.st_uid == b.st_uid && a.st_gid == b.st_gid && a.st_rdev == b.st_rdev && a.st_size == b.st_size &&
         nanoseconds(a.st_mtim) == nanoseconds(b.st_mtim) && nanoseconds(a.st_ctim) == nanoseconds(b.st_ctim);
}

Entry entry_of(uint32_t root, const std::string& path, const struct stat& st) {
  Entry e;
  e.root = root;
  e.path = path;
  e.mode = st.st_mode;
  e.uid = st.st_uid;
  e.gid = st.st_gid;
  e.size = S_ISREG(st.st_mode) ? uint64_t(st.st_size) : 0;
  e.device = st.st_rdev;
  e.mtime_ns = nanoseconds(st.st_mtim);
  return e;
}

void read_attributes(int fd, const std::string& where, Entry* entry) {
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t bytes = flistxattr(fd, names.data(), names.size());
  if (bytes < 0) {
    if (errno == ENOTSUP) return;
    fail("list the attributes of", where);
  }
  std::string value(XATTR_SIZE_MAX, '\0');
  for (ssize_t at = 0; at < bytes;) {
    const char* name = names.data() + at;
    at += ssize_t(strlen(name)) + 1;
    const ssize_t n = fgetxattr(fd, name, value.data(), value.size());
    if (n >= 0) entry->attributes.emplace_back(name, value.substr(0, size_t(n)));
    else if (errno != ENODATA && errno != ENOTSUP) fail("read the attributes of", where);
  }
}

std::string child_of(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "/" + name;
}

bool is_zero(std::string_view bytes) {
  return bytes.empty() || (bytes[0] == 0 && memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

FileSet mapped_for_writing(const std::vector<pid_t>& pids) {
  FileSet found;
  for (const pid_t pid : pids) {
    const std::string process = "/proc/" + std::to_string(pid);
    std::string maps;
    if (!read_file(process + "/maps", &maps)) continue;  // it has ended
    for (size_t at = 0; at < maps.size();) {
      const size_t end = std::min(maps.find('\n', at), maps.size());
      const std::string line = maps.substr(at, end - at);
      at = end + 1;
      unsigned long from = 0, to = 0;
      char rights[5] = {};
      if (sscanf(line.c_str(), "%lx-%lx %4s", &from, &to, rights) != 3 || rights[1] != 'w' || rights[3] != 's' ||
          line.find(" /") == std::string::npos)
        continue;
      // The line names another device than stat does, where a file system lies upon others.
      char name[64];
      snprintf(name, sizeof name, "/map_files/%lx-%lx", from, to);
      struct stat st {};
      if (stat((process + name).c_str(), &st) == 0) found.emplace(st.st_dev, st.st_ino);
    }
  }
  return found;
}

TreeSource::TreeSource(std::vector<SourceRoot> roots, Report report)
    : report_(std::move(report)), buffer_(kBlockBytes) {
  for (SourceRoot& root : roots) roots_.push_back({std::move(root), 0, {}, {}});
}

std::string TreeSource::text_of(const Root& root, const std::string& path) const {
  return path.empty() ? root.of.dir : root.of.dir + "/" + path;
}

void TreeSource::send(const std::string& record) {
  if (over_) return;
  figures_.bytes_sent += record.size();
  over_ = !(*sink_)(record);
}

LookFigures TreeSource::look(const Sink& sink, const FileSet& mapped) {
  sink_ = &sink;
  mapped_ = &mapped;
  figures_ = {};
  names_.clear();
  over_ = false;
  looks_++;
  for (Root& root : roots_) {
    const UniqueFd fd(open(root.of.dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) != 0) fail("look into", root.of.dir);
    root.device = st.st_dev;
    enter(root, fd.get(), "");
    if (!over_) say_gone(root);
  }
  return figures_;
}

void TreeSource::enter(Root& root, int fd, const std::string& path) {
  struct stat st {};
  if (fstat(fd, &st) != 0) fail("look at", text_of(root, path));
  Known& known = root.known[path];
  figures_.entries++;
  if (known.seen == 0 || !is_same(known.st, st)) {
    Entry entry = entry_of(root.of.index, path, st);
    entry.fresh = known.seen == 0 || !S_ISDIR(known.st.st_mode);
    read_attributes(fd, text_of(root, path), &entry);
    send(encode_entry(entry));
    known = {};
    known.st = st;
  }
  known.seen = looks_;
  const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> list(copy < 0 ? nullptr : fdopendir(copy), closedir);
  if (list == nullptr) {
    if (copy >= 0) close(copy);
    fail("look into", text_of(root, path));
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* one = readdir(list.get());
    if (one == nullptr) {
      if (errno != 0) fail("look into", text_of(root, path));
      break;
    }
    const std::string name = one->d_name;
    if (name == "." || name == ".." || (path.empty() && (name == kComing || name == kBefore))) continue;
    names.push_back(name);
  }
  // Which of its names a file with several has for its first must not depend on a directory's order, which changes.
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (over_) return;
    visit(root, fd, name, child_of(path, name));
  }
}

void TreeSource::visit(Root& root, int dir, const std::string& name, const std::string& path) {
  struct stat st {};
  if (fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return;
    fail("look at", text_of(root, path));
  }
  if (S_ISREG(st.st_mode)) return visit_file(root, dir, name, path, st);
  if (S_ISDIR(st.st_mode)) {
    if (st.st_dev != root.device) {
      if (root.not_entered.insert(path).second)
        report_(text_of(root, path) +
                " is another file system, and not brought to the new backup; it can be named as storage of its own");
      return;
    }
    const UniqueFd fd(openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd) return enter(root, fd.get(), path);
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return;  // replaced since
    fail("look into", text_of(root, path));
  }
  figures_.entries++;
  Known& known = root.known[path];
  if (known.seen == 0 || !is_same(known.st, st)) {
    Entry entry = entry_of(root.of.index, path, st);
    entry.fresh = true;
    if (S_ISLNK(st.st_mode)) {
      std::string target(4096, '\0');
      const ssize_t n = readlinkat(dir, name.c_str(), target.data(), target.size());
      if (n < 0) {
        if (errno == ENOENT || errno == EINVAL) {  // replaced since
          root.known.erase(path);
          return;
        }
        fail("read the link", text_of(root, path));
      }
      entry.target = target.substr(0, size_t(n));
    }
    send(encode_entry(entry));
    known = {};
    known.st = st;
  }
  known.seen = looks_;
}

void TreeSource::visit_file(Root& root, int dir, const std::string& name, const std::string& path,
                            const struct stat& st) {
  figures_.entries++;
  const auto file = std::pair(st.st_dev, st.st_ino);
  if (const auto first = names_.find(file); first != names_.end() && first->second.first == &root)
    return send_name(root, path, st, first->second.second);
  const auto found = root.known.find(path);
  if (found != root.known.end() && is_same(found->second.st, st) && !found->second.hard_link &&
      nanoseconds(st.st_ctim) < found->second.looked_ns - kTimesAreLateNs && mapped_->count(file) == 0) {
    found->second.seen = looks_;
    if (st.st_nlink > 1) names_.try_emplace(file, &root, path);
    return;
  }
  const std::string where = text_of(root, path);
  // What has become a pipe meanwhile must not be waited for.
  const UniqueFd fd(openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT || errno == ELOOP) return;
    fail("open", where);
  }
  const int64_t looked_ns = int64_t(realtime_ns());
  struct stat now {};
  if (fstat(fd.get(), &now) != 0) fail("look at", where);
  if (!S_ISREG(now.st_mode)) return;  // the next look sees it
  Known& known = root.known[path];
  Entry entry = entry_of(root.of.index, path, now);
  // Written into in place, it would change under its other names too.
  const bool other = known.st.st_ino != now.st_ino || known.st.st_dev != now.st_dev;
  entry.fresh = known.seen == 0 || !S_ISREG(known.st.st_mode) || known.hard_link ||
                (other && (known.st.st_nlink > 1 || now.st_nlink > 1));
  const bool changed = entry.fresh || !is_same(known.st, now);
  if (entry.fresh) {
    known = {};
    known.made = looks_;
  }
  if (changed) read_attributes(fd.get(), where, &entry);
  figures_.files_read++;
  send_contents(fd.get(), where, std::move(entry), &known, changed);
  known.st = now;
  known.looked_ns = looked_ns;
  known.seen = looks_;
  if (now.st_nlink > 1) names_.try_emplace({now.st_dev, now.st_ino}, &root, path);
}

void TreeSource::send_name(Root& root, const std::string& path, const struct stat& st, const std::string& first) {
  const uint64_t made = root.known[first].made;
  Known& known = root.known[path];
  if (known.seen == 0 || !known.hard_link || known.target != first || known.target_made != made) {
    Entry entry = entry_of(root.of.index, path, st);
    entry.fresh = entry.hard_link = true;
    entry.target = first;
    send(encode_entry(entry));
    known = {};
    known.hard_link = true;
    known.target = first;
    known.target_made = made;
  }
  known.st = st;
  known.seen = looks_;
}

// Sends the entry when something of the file has to follow, or `send_entry`.
void TreeSource::send_contents(int fd, const std::string& where, Entry entry, Known* known, bool send_entry) {
  static const Hash kNothing{};  // of blocks of zeros: what was never sent is zero at the target
  bool sent = false;
  const auto begin = [&] {
    if (!sent) send(encode_entry(entry));
    sent = true;
  };
  if (send_entry) begin();
  const uint64_t count = (entry.size + kBlockBytes - 1) / kBlockBytes;
  const size_t before = std::min<size_t>(known->blocks.size(), count);
  known->blocks.resize(count, kNothing);
  for (uint64_t i = 0; i < count && !over_; i++) {
    const uint64_t offset = i * kBlockBytes;
    Hash hash = kNothing;
    const off_t data = lseek(fd, off_t(offset), SEEK_DATA);
    // ENXIO: only a hole follows, or the file was cut since; the next look sees that.
    if (data < 0 && errno != ENXIO && errno != EINVAL) fail("read", where);
    const bool hole = data < 0 ? errno == ENXIO : uint64_t(data) >= offset + kBlockBytes;
    size_t bytes = size_t(std::min(kBlockBytes, entry.size - offset));
    if (!hole) {
      for (size_t have = 0; have < bytes;) {
        const ssize_t n = pread(fd, buffer_.data() + have, bytes - have, off_t(offset + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("read", where);
        if (n == 0) memset(buffer_.data() + have, 0, bytes - have);  // cut since
        have += n == 0 ? bytes - have : size_t(n);
      }
      figures_.bytes_read += bytes;
      const std::string_view block(buffer_.data(), bytes);
      if (!is_zero(block)) {
        const Sha256 sha = sha256_of(block.data(), block.size());
        memcpy(hash.data(), sha.data(), hash.size());
      }
    }
    // A block of zeros behind what the target has of the file is there already: as a hole.
    if (hash == known->blocks[i]) continue;
    begin();
    if (hash == kNothing && i < before) memset(buffer_.data(), 0, bytes);
    send(encode_data(offset, {buffer_.data(), bytes}));
    known->blocks[i] = hash;
  }
}

void TreeSource::say_gone(Root& root) {
  std::string above;  // what was said of the directory above holds for what is in it
  for (auto it = root.known.begin(); it != root.known.end();) {
    if (it->second.seen == looks_) {
      ++it;
      continue;
    }
    const std::string& path = it->first;
    if (above.empty() || path.compare(0, above.size(), above) != 0) {
      send(encode_gone(root.of.index, path));
      above = path + "/";
    }
    it = root.known.erase(it);
  }
}

}  // namespace understudy::host::storage
