// See marshal_arena.h.
#include "marshal_arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

namespace marshal_test {

unsigned failures = 0, calls = 0;
std::string scratch_dir;
uint8_t* arena;

namespace {

size_t used;

struct Recorder {
  std::vector<Element> elements;
  size_t next = 0;
  const char* name = "";
};

int64_t raw(const Call& c) {
  const long r = syscall(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]);
  return r == -1 ? -errno : r;
}
// As the core does it in replay.
void replay(const char* name, const Call& c, int64_t ret, std::vector<Element> elements) {
  Recorder r{std::move(elements), 0, name};
  CallScratch s{};
  const auto query = kernel_query;
  kernel_query = nullptr;
  before_call(c, s);
  visit_outputs(c, s, ret,
                {[](void* self, void* addr, uint64_t len) {
                   Recorder& r = *static_cast<Recorder*>(self);
                   if (r.next >= r.elements.size()) return fail("%s: replay visits more outputs than record", r.name);
                   const Element& e = r.elements[r.next++];
                   if (e.nil != (addr == nullptr))
                     return fail("%s: output %zu is nil on one side only", r.name, r.next);
                   if (!e.nil && e.bytes.size() != len)
                     return fail("%s: output %zu has %zu bytes in record, %zu in replay", r.name, r.next,
                                 e.bytes.size(), static_cast<size_t>(len));
                   if (!e.nil) fill_memory(addr, e.bytes.data(), len);
                 },
                 &r});
  kernel_query = query;
  if (r.next != r.elements.size()) fail("%s: replay visits %zu of %zu outputs", name, r.next, r.elements.size());
}

}  // namespace

void fail(const char* format, ...) {
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
  ++failures;
}

void reset() {
  used = 0;
  for (size_t i = 0; i < kArena; ++i) arena[i] = static_cast<uint8_t>(i * 7 + (i >> 8) + 3);
}

uint8_t* take_bytes(size_t n) {
  used = (used + 15) & ~size_t{15};
  uint8_t* p = arena + used;
  used += n + 64;  // a gap, in which a write beyond the end is seen
  if (used > kArena) abort();
  return p;
}

int64_t ask_kernel(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  const long r = syscall(static_cast<long>(nr), a, b, c, d);
  return r == -1 ? -errno : r;
}

// As the core does it in record.
std::vector<Element> record(const Call& c, const CallScratch& s, int64_t ret) {
  Recorder r;
  visit_outputs(c, s, ret,
                {[](void* self, void* addr, uint64_t len) {
                   const uint8_t* p = static_cast<uint8_t*>(addr);
                   static_cast<Recorder*>(self)->elements.push_back(
                       {addr == nullptr, addr ? std::vector<uint8_t>(p, p + len) : std::vector<uint8_t>()});
                 },
                 &r});
  return r.elements;
}

int64_t check_call(const char* name, int64_t expected, const Call& c, size_t nargs) {
  if (nargs != describe(c.nr).nargs) fail("%s: the table has %d arguments", name, describe(c.nr).nargs);
  ++calls;
  const std::vector<uint8_t> before(arena, arena + kArena);
  CallScratch s{};
  before_call(c, s);
  const int64_t ret = raw(c);
  if (expected == kOk ? ret < 0 : expected != kAny && ret != expected) {
    fail("%s: gave %lld (%s)", name, static_cast<long long>(ret), ret < 0 ? strerror(static_cast<int>(-ret)) : "");
    return ret;
  }
  if (expected == kAny && ret < 0 && getenv("VERBOSE"))
    printf("%s: not here (%s)\n", name, strerror(static_cast<int>(-ret)));
  const std::vector<Element> elements = record(c, s, ret);
  if (output_count(c, s, ret) != elements.size())
    fail("%s: %u outputs counted, %zu visited", name, output_count(c, s, ret), elements.size());
  const std::vector<uint8_t> after(arena, arena + kArena);
  memcpy(arena, before.data(), kArena);
  replay(name, c, ret, elements);
  for (size_t i = 0; i < kArena; ++i) {
    if (arena[i] == after[i]) continue;
    fail("%s (%s): byte %zu of the arena is not as the kernel left it", name, describe(c.nr).name, i);
    break;
  }
  memcpy(arena, after.data(), kArena);
  return ret;
}

}  // namespace marshal_test
