// The arena in which the tests make system calls for real, and what is done with each: recorded, undone, replayed, compared. See
// marshal_test.cc.
//
// Invariants:
//  - All memory that a call may write to is taken from the arena, with gaps between that must stay as they were.
//
// Must not: know any call in particular; the tables say what a call does.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <string>
#include <vector>

#include "marshal.h"

namespace marshal_test {

using namespace understudy;

extern unsigned failures, calls;
extern std::string scratch_dir;  // files() leaves `file` and `file2` there, which later tests use
__attribute__((format(printf, 1, 2))) void fail(const char* format, ...);

inline constexpr size_t kArena = 256 << 10;
extern uint8_t* arena;
void reset();                   // a pattern everywhere, and nothing taken
uint8_t* take_bytes(size_t n);  // 16-byte aligned, a gap behind it
template <class T = uint8_t>
T* take(size_t n = 1) {
  return reinterpret_cast<T*>(take_bytes(n * sizeof(T)));
}
template <class T>
T* put(const T& v) {
  T* p = take<T>();
  memcpy(p, &v, sizeof v);
  return p;
}

struct Element {
  bool nil;
  std::vector<uint8_t> bytes;
};
// What the table's outputs carry after the call, as the core does it in record.
std::vector<Element> record(const Call& c, const CallScratch& s, int64_t ret);

inline constexpr int64_t kAny = INT64_MIN, kOk = INT64_MIN + 1;
int64_t check_call(const char* name, int64_t expected, const Call& c, size_t nargs);
// Makes the call; `expected` is its result, kOk (no error) or kAny (it may not be there).
template <class... A>
int64_t check(const char* name, int64_t expected, uint32_t nr, A... args) {
  Call c{nr, {}};
  const uint64_t list[] = {(uint64_t)(args)..., 0};
  for (size_t i = 0; i < sizeof...(args); ++i) c.args[i] = list[i];
  return check_call(name, expected, c, sizeof...(args));
}

// The parts of the test, in the order in which they run.
void golden_vectors();
void sums();
void questions();
void bad_memory();
void files();
void waiting();
void sockets();
void terminals();
void processes();
void times_and_signals();
void system_v();
void asynchronous_io();
void newer_calls();
void traced_process();
void clones();

int64_t ask_kernel(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d);  // as kernel_query

}  // namespace marshal_test
