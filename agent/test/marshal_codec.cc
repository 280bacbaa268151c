// What needs no call: the golden vectors, the sums, the questions that the core asks of the table, and memory that is not there.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "golden.gen.h"
#include "marshal_arena.h"
#include "wire.h"

namespace marshal_test {

namespace {
std::vector<uint8_t> from_hex(const char* hex) {
  std::vector<uint8_t> bytes;
  for (; *hex; hex += 2) bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(hex, 2), nullptr, 16)));
  return bytes;
}
}  // namespace

void golden_vectors() {
  for (const GoldenVector& v : kGolden) {
    const std::vector<uint8_t> expected = from_hex(v.hex);
    std::vector<uint8_t> encoded(expected.size() + 64 * kHeadMax);
    uint8_t* p = encoded.data();
    Reader reader{expected.data(), expected.data() + expected.size()};
    bool same = true;
    for (unsigned i = v.first; i < v.first + v.count; ++i) {
      const GoldenValue& value = kGoldenValues[i];
      const uint8_t* data = nullptr;
      uint32_t n = 0;
      int64_t number = 0;
      switch (value.type) {
        case kGoldenInt:
          p = value.text ? put_uint(p, value.number) : put_int(p, static_cast<int64_t>(value.number));
          same &= reader.integer(number) && static_cast<uint64_t>(number) == value.number;
          break;
        case kGoldenArray:
          p = put_array(p, static_cast<uint32_t>(value.number));
          same &= reader.array(n) && n == value.number;
          break;
        case kGoldenNil:
          p = put_nil(p);
          same &= reader.nil();
          break;
        case kGoldenBin: {
          const std::vector<uint8_t> bytes = from_hex(value.text);
          p = put_bin_head(p, static_cast<uint32_t>(bytes.size()));
          memcpy(p, bytes.data(), bytes.size());
          p += bytes.size();
          same &= reader.bin(data, n) && n == bytes.size() && !memcmp(data, bytes.data(), n);
          break;
        }
        case kGoldenStr:
          p = put_str_head(p, static_cast<uint32_t>(value.number));
          memcpy(p, value.text, value.number);
          p += value.number;
          same &= reader.str(data, n) && n == value.number && !memcmp(data, value.text, n);
          break;
      }
    }
    if (!same || reader.p != reader.end) fail("golden vector '%s' is not read as it should be", v.name);
    encoded.resize(static_cast<size_t>(p - encoded.data()));
    if (encoded != expected) fail("golden vector '%s' is not written as it should be", v.name);
    Reader whole{expected.data(), expected.data() + expected.size()};
    if (!whole.skip() || whole.p != whole.end) fail("golden vector '%s' is not skipped as a whole", v.name);
    for (size_t cut = 0; cut < expected.size(); ++cut) {
      Reader part{expected.data(), expected.data() + cut};
      if (part.skip() || part.p != expected.data()) {
        fail("golden vector '%s', cut off at %zu, passes for whole", v.name, cut);
        break;
      }
    }
  }
  // Any bytes: the reader must neither leave them nor stand still.
  srand(1);
  for (int round = 0; round < 20000; ++round) {
    uint8_t junk[24];
    for (uint8_t& b : junk) b = static_cast<uint8_t>(rand());
    Reader r{junk, junk + rand() % (sizeof junk + 1)};
    while (r.p < r.end) {
      const uint8_t* at = r.p;
      int64_t number;
      uint32_t n;
      const uint8_t* data;
      if (!(r.integer(number) || r.bin(data, n) || r.str(data, n) || r.nil() || r.skip())) break;
      if (r.p <= at || r.p > r.end) {
        fail("the reader left its bytes");
        return;
      }
    }
  }
}

void sums() {
  if (crc32c(0, "123456789", 9) != 0xe3069283) fail("crc32c is not CRC32C");
  std::vector<uint8_t> bytes(10000);
  const auto by_bits = [&](size_t from, size_t n) {
    uint32_t crc = 0xffffffff;
    for (size_t i = from; i < from + n; ++i) {
      crc ^= bytes[i];
      for (int k = 0; k < 8; ++k) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return ~crc;
  };
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 31 + (i >> 8));
  for (const size_t n : {0, 7, 255, 1023, 1024, 1025, 2048, 3333, 9000})
    if (crc32c(0, bytes.data() + 3, n) != by_bits(3, n)) fail("crc32c of %zu bytes", n);
  const auto ends = [&](size_t n) {
    if (n <= 4096) return crc32c(0, bytes.data(), n);
    return crc32c(crc32c(0, bytes.data(), 2048), bytes.data() + n - 2048, 2048);
  };
  for (const size_t n : {1, 2048, 4095, 4096, 4097, 5000, 10000}) {
    const Call write{SYS_write, {1, reinterpret_cast<uint64_t>(bytes.data()), n, 0, 0, 0}};
    if (data_sum(write, static_cast<int64_t>(n)) != ends(n)) fail("data sum of %zu bytes", n);
    for (const size_t cut : {size_t{1}, n / 3, n - 1}) {
      const struct iovec iov[] = {{bytes.data(), cut}, {bytes.data() + cut, n - cut}, {nullptr, 1000}};
      const Call writev{SYS_writev, {1, reinterpret_cast<uint64_t>(iov), 3, 0, 0, 0}};
      if (data_sum(writev, static_cast<int64_t>(n)) != ends(n)) fail("data sum of %zu bytes in pieces", n);
    }
    if (data_sum(write, -EAGAIN) != 0 || data_sum(write, 0) != 0) fail("data sum of nothing");
  }
  const Call a{SYS_read, {1, 2, 3, 0, 0, 0}}, b{SYS_read, {1, 3, 2, 0, 0, 0}}, unused{SYS_read, {1, 2, 3, 9, 9, 9}};
  if (arg_sum(a) == arg_sum(b)) fail("the argument sum does not see the order");
  if (arg_sum(a) != arg_sum(unused)) fail("the argument sum sees what is no argument");
  if (arg_sum(Call{SYS_getpid, {1, 2, 3, 4, 5, 6}}) != 0) fail("a call without arguments has a sum");
}

void questions() {
  const auto call = [](uint32_t nr, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
    return Call{nr, {a, b, c, d, 0, 0}};
  };
  if (!is_opaque(call(999)) || !is_opaque(call(400)) || is_opaque(call(SYS_read))) fail("is_opaque: numbers");
  if (is_opaque(call(SYS_ioctl, 0, TCGETS)) || !is_opaque(call(SYS_ioctl, 0, 0x5310)) ||
      is_opaque(call(SYS_ioctl, 0, 0xffffffff00005401)))
    fail("is_opaque: ioctl");
  if (is_opaque(call(SYS_prctl, PR_SET_NAME)) || !is_opaque(call(SYS_prctl, 12345))) fail("is_opaque: prctl");
  if (!may_block(call(SYS_futex, 0, FUTEX_WAIT_PRIVATE)) || may_block(call(SYS_futex, 0, FUTEX_WAKE_PRIVATE)))
    fail("may_block: futex");
  if (may_block(call(SYS_fcntl, 0, F_SETLK)) || !may_block(call(SYS_fcntl, 0, F_SETLKW))) fail("may_block: fcntl");
  if (may_block(call(SYS_poll, 0, 0, 0)) || !may_block(call(SYS_poll, 0, 0, ~0ull))) fail("may_block: poll");
  if (may_block(call(SYS_wait4, 0, 0, WNOHANG)) || !may_block(call(SYS_wait4))) fail("may_block: wait4");
  if (may_block(call(SYS_ioctl, 0, FIONBIO)) || !may_block(call(SYS_ioctl, 0, TCSETSW))) fail("may_block: ioctl");
  if (restart_of(call(SYS_read)) != kRestartSys || restart_of(call(SYS_poll)) != kRestartNever) fail("restart_of");
  if (restart_of(call(SYS_futex, 0, FUTEX_WAIT, 0, 0)) != kRestartSys ||
      restart_of(call(SYS_futex, 0, FUTEX_WAIT, 0, 8)) != kRestartNever)
    fail("restart_of: futex");
  if (!makes_fd(call(SYS_fcntl, 0, F_DUPFD_CLOEXEC)) || makes_fd(call(SYS_fcntl, 0, F_GETFD)) ||
      !makes_fd(call(SYS_socket)))
    fail("makes_fd");
  if (class_of(call(SYS_arch_prctl, 0x1002)) != kClassReexecute || class_of(call(SYS_mmap)) != kClassReexecute)
    fail("class_of");
  unsigned arg = 9;
  uint64_t capacity = 0;
  if (!simple_out_buffer(call(SYS_epoll_wait, 3, 0x1000, 5), arg, capacity) || arg != 1 || capacity != 60)
    fail("simple_out_buffer");
  for (uint32_t nr = 0; nr < 500; ++nr) {
    // A simple buffer is the call's only output.
    if (simple_out_buffer(call(nr, 1, 1, 1), arg, capacity) && (arg > 1 || describe(nr).out_count > 2))
      fail("simple_out_buffer of %u", nr);
  }
}

void bad_memory() {
  uint64_t v = 42;
  if (understudy_peek(&v, reinterpret_cast<void*>(16), 8) != 8) fail("peek of a bad address");
  uint8_t* page = static_cast<uint8_t*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(page + 4096, 4096);
  if (understudy_peek(&v, page + 4092, 8) != 4) fail("peek across the end of memory");
  if (understudy_peek(&v, reinterpret_cast<void*>(0x800000000000ull), 8) != 8)
    fail("peek of an address that cannot be");
}

}  // namespace marshal_test
