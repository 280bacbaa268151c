// Trees that are brought to another place while somebody works in them: after the last look they are the same, whatever was done between
// the looks and while one was under way. What was there before stays until then.
//
//   understudy-storage-test [SEEDS [FIRST]]
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <filesystem>
#include <random>

#include "storage/tree_source.h"
#include "storage/tree_target.h"
#include "expect.h"

using namespace understudy::host;
using namespace understudy::host::storage;
namespace fs = std::filesystem;

namespace {

std::string scratch;

std::string fresh(const std::string& name) {
  const std::string dir = scratch + "/" + name;
  fs::remove_all(dir);
  fs::create_directories(dir);
  return dir;
}

void quiet(const std::string&) {}

// ---- somebody who works in a tree -------------------------------------------------------------------------------------------------
class Worker {
 public:
  Worker(std::string root, uint64_t seed) : root_(std::move(root)), random_(seed) {}

  void work(int steps) {
    for (int i = 0; i < steps; i++) step();
  }

 private:
  uint64_t below(uint64_t n) { return random_() % n; }
  std::string name() { return std::string(1, char('a' + below(6))) + (below(3) == 0 ? "-x" : ""); }
  // A directory that there is, or the root.
  std::string directory() {
    std::string at = root_;
    while (below(2) == 0) {
      const std::string next = at + "/" + name();
      if (!fs::is_directory(fs::symlink_status(next))) break;
      at = next;
    }
    return at;
  }
  std::string some() { return directory() + "/" + name(); }
  // As most programs write: at some place, some bytes, often zeros.
  void write_into(const std::string& path, int flags) {
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | flags, 0600 | below(0100)));
    struct stat st {};
    if (!fd || fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) return;
    std::vector<char> bytes(1 + below(below(4) == 0 ? 3 * kBlockBytes : 100));
    if (below(4) != 0)
      for (char& c : bytes) c = char(random_());
    const off_t at = off_t(below(3) == 0 ? below(20 * kBlockBytes) : st.st_size);
    if (pwrite(fd.get(), bytes.data(), bytes.size(), at) < 0) abort();
  }
  void step() {
    const std::string path = some();
    switch (below(16)) {
      case 0:
      case 1: return write_into(path, O_CREAT);
      case 2:
      case 3:
      case 4: return write_into(path, 0);
      case 5: return write_into(path, O_CREAT | O_TRUNC);
      case 6: {
        // Never through a link: it may lead out of the test's own folder.
        const UniqueFd fd(open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK));
        struct stat st {};
        if (fd && fstat(fd.get(), &st) == 0 && S_ISREG(st.st_mode) &&
            ftruncate(fd.get(), off_t(below(5 * kBlockBytes))) != 0)
          abort();
        return;
      }
      case 7:
      case 8: return void(mkdir(path.c_str(), 0700 | below(0100)));
      case 9: return void(rename(path.c_str(), some().c_str()));
      case 10: return void(link(path.c_str(), some().c_str()));
      case 11: return void(symlink(below(2) == 0 ? "/nowhere/understudy" : "../a", path.c_str()));
      case 12: return void(unlink(path.c_str()));
      case 13: {
        std::error_code error;
        if (below(4) == 0) fs::remove_all(path, error);
        return;
      }
      case 14:
        if (below(3) == 0) mkfifo(path.c_str(), 0600);
        else fchmodat(AT_FDCWD, path.c_str(), 0600 | below(0200), AT_SYMLINK_NOFOLLOW);
        return;
      default: {
        const std::string value(1 + below(40), char('A' + below(26)));
        if (below(3) == 0) lremovexattr(path.c_str(), "user.one");
        else lsetxattr(path.c_str(), below(2) == 0 ? "user.one" : "user.two", value.data(), value.size(), 0);
        if (geteuid() == 0 && below(2) == 0 && lchown(path.c_str(), uid_t(below(3)), gid_t(below(3))) != 0) return;
      }
    }
  }

  const std::string root_;
  std::mt19937_64 random_;
};

// ---- are two trees the same -----------------------------------------------------------------------------------------------------
std::string contents(const std::string& path) {
  std::string out;
  if (!read_file(path, &out)) out = "cannot be read";
  return out;
}

std::map<std::string, std::string> attributes(const std::string& path) {
  std::map<std::string, std::string> out;
  char names[4096], value[4096];
  const ssize_t bytes = llistxattr(path.c_str(), names, sizeof names);
  for (ssize_t at = 0; at < bytes; at += ssize_t(strlen(names + at)) + 1) {
    const ssize_t n = lgetxattr(path.c_str(), names + at, value, sizeof value);
    out[names + at] = std::string(value, size_t(std::max<ssize_t>(n, 0)));
  }
  return out;
}

void compare(const std::string& a, const std::string& b, uint64_t seed) {
  std::map<std::string, struct stat> left, right;
  const auto list = [](const std::string& root, std::map<std::string, struct stat>* out) {
    const auto add = [&](const std::string& path) {
      struct stat st {};
      if (lstat(path.c_str(), &st) != 0) abort();
      (*out)[path.substr(root.size())] = st;
    };
    add(root);
    for (const auto& one : fs::recursive_directory_iterator(root)) add(one.path().string());
  };
  list(a, &left);
  list(b, &right);
  for (const auto& [path, st] : right)
    EXPECT(left.count(path) == 1, "seed %zu: %s is too much", size_t(seed), path.c_str());
  std::map<ino_t, ino_t> same;
  for (const auto& [path, l] : left) {
    const auto found = right.find(path);
    EXPECT(found != right.end(), "seed %zu: %s is not there", size_t(seed), path.c_str());
    if (found == right.end()) continue;
    const struct stat& r = found->second;
    EXPECT(l.st_mode == r.st_mode && l.st_uid == r.st_uid && l.st_gid == r.st_gid, "seed %zu: %s: %o %o", size_t(seed),
           path.c_str(), l.st_mode, r.st_mode);
    EXPECT(l.st_mtim.tv_sec == r.st_mtim.tv_sec && l.st_mtim.tv_nsec == r.st_mtim.tv_nsec,
           "seed %zu: the time of %s: %ld.%09ld, %ld.%09ld", size_t(seed), path.c_str(), l.st_mtim.tv_sec,
           l.st_mtim.tv_nsec, r.st_mtim.tv_sec, r.st_mtim.tv_nsec);
    EXPECT(attributes(a + path) == attributes(b + path), "seed %zu: %s", size_t(seed), path.c_str());
    if (S_ISLNK(l.st_mode)) EXPECT(fs::read_symlink(a + path) == fs::read_symlink(b + path), "%s", path.c_str());
    if (!S_ISREG(l.st_mode)) continue;
    EXPECT(l.st_nlink == r.st_nlink, "seed %zu: %s has %zu and %zu names", size_t(seed), path.c_str(),
           size_t(l.st_nlink), size_t(r.st_nlink));
    EXPECT(same.try_emplace(l.st_ino, r.st_ino).first->second == r.st_ino, "seed %zu: %s is another file", size_t(seed),
           path.c_str());
    EXPECT(contents(a + path) == contents(b + path), "seed %zu: the contents of %s", size_t(seed), path.c_str());
    // What was a hole may have been written to with zeros, and the other way round, within a block.
    EXPECT(r.st_blocks * 512 <= l.st_blocks * 512 + blksize_t(20 * kBlockBytes), "seed %zu: %s: %ld and %ld blocks",
           size_t(seed), path.c_str(), long(l.st_blocks), long(r.st_blocks));
  }
}

// ---- tests ----------------------------------------------------------------------------------------------------------------------
void follows_a_worker(uint64_t seed) {
  const std::string from = fresh("from"), other = fresh("other"), to = fresh("to"), to_other = fresh("to-other");
  Worker worker(from, seed), in_other(other, seed + 1), stale(to, seed + 2);
  std::mt19937_64 random(seed);
  worker.work(int(random() % 200));
  in_other.work(20);
  stale.work(100);
  TreeSource source({{0, from}, {1, other}}, quiet);
  TreeTarget target({to, to_other}, quiet);
  target.take(encode_begin(2));
  const TreeSource::Sink sink = [&](const std::string& record) {
    target.take(record);
    if (random() % 16 == 0) worker.work(1);  // while it is looked at
    return true;
  };
  const int looks = int(random() % 5);
  for (int i = 0; i < looks; i++) {
    source.look(sink, {});
    target.take(encode_end(false));
    worker.work(int(random() % 60));
    in_other.work(int(random() % 4));
  }
  source.look(
      [&](const std::string& record) {
        target.take(record);
        return true;
      },
      {});
  target.take(encode_end(true));
  EXPECT(target.is_complete(), "seed %zu", size_t(seed));
  target.put_in_place();
  target.forget_before();
  compare(from, to, seed);
  compare(other, to_other, seed);
}

// Of a file of 10 MB, a page of which was written to, goes out little; and of one that nobody has touched, nothing is read.
void sends_what_has_changed() {
  const std::string from = fresh("from"), to = fresh("to");
  std::string big(10 << 20, 'x');
  for (size_t i = 0; i < big.size(); i += 999) big[i] = char(i);
  const UniqueFd fd(open((from + "/big").c_str(), O_RDWR | O_CREAT, 0600));
  EXPECT(write_all(fd.get(), big.data(), big.size()) == 0, "%s", strerror(errno));
  TreeSource source({{0, from}}, quiet);
  uint64_t bytes = 0;
  const TreeSource::Sink count = [&](const std::string& record) {
    bytes += record.size();
    return true;
  };
  source.look(count, {});
  EXPECT(bytes > big.size(), "%zu", size_t(bytes));
  usleep(100'000);
  source.look(count, {});  // it was too young for its times to be believed
  bytes = 0;
  usleep(100'000);
  LookFigures figures = source.look(count, {});
  EXPECT(bytes == 0 && figures.files_read == 0, "%zu bytes, %zu files", size_t(bytes), size_t(figures.files_read));
  EXPECT(pwrite(fd.get(), "page", 4, 5 << 20) == 4, "%s", strerror(errno));
  figures = source.look(count, {});
  EXPECT(figures.files_read == 1 && bytes > kBlockBytes && bytes < 2 * kBlockBytes, "%zu", size_t(bytes));
}

// A store into a mapping changes the file's times when the page is first dirtied, and not again.
void reads_mapped_files_again() {
  const std::string from = fresh("from"), path = from + "/mapped";
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT, 0600));
  EXPECT(ftruncate(fd.get(), 8192) == 0, "%s", strerror(errno));
  auto* p = static_cast<volatile char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  p[0] = 'a';
  TreeSource source({{0, from}}, quiet);
  uint64_t bytes = 0;
  const TreeSource::Sink count = [&](const std::string& record) {
    bytes += record.size();
    return true;
  };
  usleep(100'000);
  source.look(count, mapped_for_writing({getpid()}));
  struct stat before {
  }, after{};
  EXPECT(stat(path.c_str(), &before) == 0, "%s", strerror(errno));
  p[1] = 'b';
  EXPECT(stat(path.c_str(), &after) == 0, "%s", strerror(errno));
  if (before.st_ctim.tv_nsec != after.st_ctim.tv_nsec) printf("this kernel tells of each store\n");
  bytes = 0;
  source.look(count, mapped_for_writing({getpid()}));
  EXPECT(bytes > 0, "what was stored was not seen");
}

void breaks_off() {
  const std::string from = fresh("from"), to = fresh("to");
  Worker(from, 1).work(100);
  Worker(to, 2).work(100);
  const std::string copy = scratch + "/copy";
  fs::remove_all(copy);
  EXPECT(system(("cp -a " + to + " " + copy).c_str()) == 0, "cp");
  {
    TreeSource source({{0, from}}, quiet);
    TreeTarget target({to}, quiet);
    target.take(encode_begin(1));
    int left = 10;
    source.look(
        [&](const std::string& record) {
          target.take(record);
          return --left > 0;
        },
        {});
    EXPECT(left == 0 && !target.is_complete(), "%d", left);
    try {
      target.put_in_place();
      EXPECT(false, "half a copy was put in place");
    } catch (const HostError& error) { EXPECT(error.code == "STORAGE", "%s", error.what()); }
  }
  // The root's own time has changed: something was in it for a while.
  struct stat st {};
  EXPECT(stat(copy.c_str(), &st) == 0, "%s", strerror(errno));
  const timespec times[2] = {st.st_atim, st.st_mtim};
  utimensat(AT_FDCWD, to.c_str(), times, 0);
  compare(copy, to, 0);
}

void refuses_what_leads_out() {
  const std::string to = fresh("to"), outside = fresh("outside");
  const auto refused = [&](const char* what, const std::vector<std::string>& records) {
    TreeTarget target({to}, quiet);
    target.take(encode_begin(1));
    try {
      for (const std::string& record : records) target.take(record);
      EXPECT(false, "%s was taken", what);
    } catch (const HostError& error) { EXPECT(error.code == "STORAGE", "%s: %s", what, error.what()); }
  };
  Entry file;
  file.mode = S_IFREG | 0600;
  file.fresh = true;
  for (const char* path : {"../outside/f", "a/../../f", "/f", "a//b", ".", "..", "a/."}) {
    file.path = path;
    refused(path, {encode_entry(file)});
    refused(path, {encode_gone(0, path)});
  }
  Entry link;
  link.mode = S_IFLNK | 0777;
  link.path = "way";
  link.target = outside;
  file.path = "way/f";
  refused("a file behind a link", {encode_entry(link), encode_entry(file)});
  Entry hard = file;
  hard.path = "h";
  hard.hard_link = true;
  hard.target = "../../outside/f";
  refused("a hard link", {encode_entry(hard)});
  file.path = "f";
  file.root = 1;
  refused("another root", {encode_entry(file)});
  refused("data of nothing", {encode_data(0, "x")});
  refused("a second beginning", {encode_begin(1)});
  refused("something else", {"x"});
  const std::string whole = encode_entry(link);
  for (size_t n = 0; n < whole.size(); n++) refused("a cut record", {whole.substr(0, n)});
  EXPECT(fs::is_empty(outside) && fs::is_empty(to), "something was made");
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t seeds = argc > 1 ? strtoull(argv[1], nullptr, 10) : 60;
  const uint64_t first = argc > 2 ? strtoull(argv[2], nullptr, 10) : 1;
  char dir[] = "/tmp/understudy-storage-XXXXXX";
  if (mkdtemp(dir) == nullptr) return 1;
  scratch = dir;
  umask(0);
  for (uint64_t seed = first; seed < first + seeds; seed++) {
    try {
      follows_a_worker(seed);
    } catch (const std::exception& error) { EXPECT(false, "seed %zu: %s", size_t(seed), error.what()); }
  }
  sends_what_has_changed();
  reads_mapped_files_again();
  breaks_off();
  refuses_what_leads_out();
  fs::remove_all(scratch);
  if (failures != 0) printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
