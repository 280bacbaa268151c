// The little of msgpack that the host needs: finding where an event ends, reading a few fields, writing its own.
//
// Invariants:
//  - Reading is bounds-checked: journals are input, and may be damaged.
//  - Writing uses the shortest integer forms, like the agent.
//
// Must not: grow into a codec. What events mean is the business of journal/.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <string>
#include <string_view>

namespace understudy::host {

inline uint64_t load_be(const uint8_t* p, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v = v << 8 | p[i];
  return v;
}

// Bytes of an object of fixed length, by its first byte; 0 for all others.
struct ScalarLengths {
  uint8_t bytes[256];
  constexpr ScalarLengths() : bytes() {
    for (int tag = 0; tag < 256; tag++) {
      const bool fixint = tag <= 0x7f || tag >= 0xe0, fixstr = tag >= 0xa0 && tag <= 0xbf;
      bytes[tag] = fixint ? 1 : fixstr ? uint8_t(1 + (tag & 31)) : 0;
    }
    for (int tag : {0xc0, 0xc2, 0xc3}) bytes[tag] = 1;  // nil, false, true
    for (int tag : {0xcc, 0xd0}) bytes[tag] = 2;        // integers and floats
    for (int tag : {0xcd, 0xd1}) bytes[tag] = 3;
    for (int tag : {0xca, 0xce, 0xd2}) bytes[tag] = 5;
    for (int tag : {0xcb, 0xcf, 0xd3}) bytes[tag] = 9;
  }
};
inline constexpr ScalarLengths kScalarLengths;

// Length in bytes of the object at p, or 0 when it is malformed or does not end before `end`.
inline size_t msgpack_length(const uint8_t* p, const uint8_t* end) {
  const uint8_t* const begin = p;
  for (uint64_t left = 1; left > 0; left--) {
    if (p >= end) return 0;
    const uint8_t tag = *p;
    // The pump looks at every event, so the common case is a look-up.
    if (const size_t scalar = kScalarLengths.bytes[tag]; scalar != 0) {
      if (scalar > size_t(end - p)) return 0;
      p += scalar;
      continue;
    }
    p++;
    uint64_t skip = 0, children = 0;
    const size_t room = size_t(end - p);
    size_t width;
    switch (tag) {
      case 0xc4:
      case 0xd9:
      case 0xc5:
      case 0xda:
      case 0xc6:
      case 0xdb:  // bin, str
        width = tag == 0xc4 || tag == 0xd9 ? 1 : tag == 0xc5 || tag == 0xda ? 2 : 4;
        if (room < width) return 0;
        skip = width + load_be(p, int(width));
        break;
      case 0xdc:
      case 0xdd:
      case 0xde:
      case 0xdf:  // array, map
        width = tag == 0xdc || tag == 0xde ? 2 : 4;
        if (room < width) return 0;
        children = load_be(p, int(width)) * (tag >= 0xde ? 2 : 1);
        skip = width;
        break;
      default:
        if ((tag & 0xf0) == 0x90) children = tag & 15;
        else if ((tag & 0xf0) == 0x80) children = uint64_t(tag & 15) * 2;
        else return 0;  // extensions and the reserved tag are not used
    }
    if (skip > room) return 0;
    p += skip;
    // Every child takes a byte at least, which bounds the loop by the input's length.
    if (children > size_t(end - p)) return 0;
    left += children;
  }
  return size_t(p - begin);
}

// Length of the event at p (an array whose first element is an integer), or 0.
inline size_t event_length(const uint8_t* p, const uint8_t* end) {
  // Most events of many guests are clock reads, [-2, clock, delta]: one look-up instead of one for each element.
  if (end - p >= 4 && p[0] == 0x93 && p[1] == 0xfe && p[2] < 0x80) {
    const size_t delta = kScalarLengths.bytes[p[3]];
    if (delta != 0 && 3 + delta <= size_t(end - p)) return 3 + delta;
  }
  if (p >= end || ((*p & 0xf0) != 0x90 && *p != 0xdc && *p != 0xdd)) return 0;
  return msgpack_length(p, end);
}

class MsgpackReader {
 public:
  MsgpackReader(const uint8_t* p, const uint8_t* end) : p_(p), end_(end) {}
  explicit MsgpackReader(std::string_view bytes)
      : p_(reinterpret_cast<const uint8_t*>(bytes.data())), end_(p_ + bytes.size()) {}
  bool ok() const { return ok_; }
  const uint8_t* position() const { return p_; }

  uint64_t array() {
    uint8_t tag = byte();
    if ((tag & 0xf0) == 0x90) return tag & 15;
    if (tag == 0xdc) return be(2);
    if (tag == 0xdd) return be(4);
    return fail();
  }
  int64_t integer() {
    uint8_t tag = byte();
    if (tag <= 0x7f) return tag;
    if (tag >= 0xe0) return int8_t(tag);
    switch (tag) {
      case 0xcc: return int64_t(be(1));
      case 0xcd: return int64_t(be(2));
      case 0xce: return int64_t(be(4));
      case 0xcf: return int64_t(be(8));
      case 0xd0: return int8_t(be(1));
      case 0xd1: return int16_t(be(2));
      case 0xd2: return int32_t(be(4));
      case 0xd3: return int64_t(be(8));
      default: return int64_t(fail());
    }
  }
  // bin or str
  std::string_view bytes() {
    uint8_t tag = byte();
    uint64_t len;
    if ((tag & 0xe0) == 0xa0) len = tag & 31;
    else if (tag == 0xc4 || tag == 0xd9) len = be(1);
    else if (tag == 0xc5 || tag == 0xda) len = be(2);
    else if (tag == 0xc6 || tag == 0xdb) len = be(4);
    else return fail(), std::string_view();
    if (!ok_ || len > uint64_t(end_ - p_)) return fail(), std::string_view();
    std::string_view out(reinterpret_cast<const char*>(p_), len);
    p_ += len;
    return out;
  }
  // One object of any kind.
  void skip() {
    const size_t len = ok_ ? msgpack_length(p_, end_) : 0;
    if (len == 0) fail();
    p_ += len;
  }
  // The end of an array of `have` elements, of which `known` have been read: a newer writer may have appended more. False when there were
  // fewer, or anything before was malformed.
  bool skip_appended(uint64_t have, uint64_t known) {
    for (uint64_t i = known; i < have && ok_; i++) skip();
    return ok_ && have >= known;
  }

 private:
  uint64_t fail() {
    ok_ = false;
    return 0;
  }
  uint8_t byte() { return ok_ && p_ < end_ ? *p_++ : uint8_t(fail()); }
  uint64_t be(int width) {
    if (!ok_ || end_ - p_ < width) return fail();
    uint64_t v = load_be(p_, width);
    p_ += width;
    return v;
  }
  const uint8_t* p_;
  const uint8_t* end_;
  bool ok_ = true;
};

// Enough for the host's own events and batch heads.
class MsgpackWriter {
 public:
  MsgpackWriter& array(uint8_t count) { return byte(0x90 | count); }
  MsgpackWriter& unsigned_int(uint64_t v) {
    if (v <= 0x7f) return byte(uint8_t(v));
    if (v <= 0xff) return byte(0xcc).be(v, 1);
    if (v <= 0xffff) return byte(0xcd).be(v, 2);
    if (v <= 0xffffffff) return byte(0xce).be(v, 4);
    return byte(0xcf).be(v, 8);
  }
  MsgpackWriter& signed_int(int64_t v) {
    if (v >= 0) return unsigned_int(uint64_t(v));
    if (v >= -32) return byte(uint8_t(v));
    if (v >= INT8_MIN) return byte(0xd0).be(uint64_t(v), 1);
    if (v >= INT16_MIN) return byte(0xd1).be(uint64_t(v), 2);
    if (v >= INT32_MIN) return byte(0xd2).be(uint64_t(v), 4);
    return byte(0xd3).be(uint64_t(v), 8);
  }
  const uint8_t* data() const { return bytes_; }
  size_t size() const { return size_; }

 private:
  MsgpackWriter& byte(uint8_t b) {
    bytes_[size_++] = b;
    return *this;
  }
  MsgpackWriter& be(uint64_t v, int width) {
    for (int i = width - 1; i >= 0; i--) byte(uint8_t(v >> (8 * i)));
    return *this;
  }
  uint8_t bytes_[64];
  size_t size_ = 0;
};

}  // namespace understudy::host
