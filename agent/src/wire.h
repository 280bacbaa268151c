// msgpack, as much of it as events need: writers that append at a pointer, and a Reader that never runs past its end.
//
// Invariants:
//  - Every value is written in its shortest form, so one event has exactly one encoding and journals can be compared
//    byte by byte.
//  - Writers do not check space. The caller reserves before it starts an event: kHeadMax bytes for each integer or head, plus
//    the bytes of payloads.
//  - The Reader accepts every integer form, since other msgpack libraries choose other ones (a 64-bit BigInt of
//    JavaScript arrives as int64, whatever its sign).
//
// Must not: include anything but <stdint.h>, allocate, or use SIMD registers; this runs inside the guest, between its instructions.
#pragma once
#include <stdint.h>

namespace understudy {

inline constexpr unsigned kHeadMax = 9;  // bytes of the longest integer or head

// Fixed-size stores through the compiler: memcpy must not become a call, and the pointer may be unaligned.
template <typename T>
inline void put_big_endian(uint8_t* p, T v) {
  if constexpr (sizeof(T) == 2) v = static_cast<T>(__builtin_bswap16(v));
  if constexpr (sizeof(T) == 4) v = static_cast<T>(__builtin_bswap32(v));
  if constexpr (sizeof(T) == 8) v = static_cast<T>(__builtin_bswap64(v));
  __builtin_memcpy(p, &v, sizeof(T));
}
template <typename T>
inline T get_big_endian(const uint8_t* p) {
  T v;
  __builtin_memcpy(&v, p, sizeof(T));
  if constexpr (sizeof(T) == 2) v = static_cast<T>(__builtin_bswap16(v));
  if constexpr (sizeof(T) == 4) v = static_cast<T>(__builtin_bswap32(v));
  if constexpr (sizeof(T) == 8) v = static_cast<T>(__builtin_bswap64(v));
  return v;
}

inline uint8_t* put_uint(uint8_t* p, uint64_t v) {
  if (__builtin_expect(v < 0x80, 1)) {
    *p = static_cast<uint8_t>(v);
    return p + 1;
  }
  if (v <= 0xffff) {
    if (v <= 0xff) {
      p[0] = 0xcc;
      p[1] = static_cast<uint8_t>(v);
      return p + 2;
    }
    p[0] = 0xcd;
    put_big_endian<uint16_t>(p + 1, static_cast<uint16_t>(v));
    return p + 3;
  }
  if (v <= 0xffffffff) {
    p[0] = 0xce;
    put_big_endian<uint32_t>(p + 1, static_cast<uint32_t>(v));
    return p + 5;
  }
  // int64 when the value fits, as msgpackr writes a BigInt: the TypeScript codec and this one give the same bytes.
  p[0] = v <= INT64_MAX ? 0xd3 : 0xcf;
  put_big_endian<uint64_t>(p + 1, v);
  return p + 9;
}

inline uint8_t* put_int(uint8_t* p, int64_t v) {
  if (__builtin_expect(v >= 0, 1)) return put_uint(p, static_cast<uint64_t>(v));
  if (v >= -32) {
    *p = static_cast<uint8_t>(v);
    return p + 1;
  }
  if (v >= INT16_MIN) {
    if (v >= INT8_MIN) {
      p[0] = 0xd0;
      p[1] = static_cast<uint8_t>(v);
      return p + 2;
    }
    p[0] = 0xd1;
    put_big_endian<uint16_t>(p + 1, static_cast<uint16_t>(v));
    return p + 3;
  }
  if (v >= INT32_MIN) {
    p[0] = 0xd2;
    put_big_endian<uint32_t>(p + 1, static_cast<uint32_t>(v));
    return p + 5;
  }
  p[0] = 0xd3;
  put_big_endian<uint64_t>(p + 1, static_cast<uint64_t>(v));
  return p + 9;
}

inline uint8_t* put_nil(uint8_t* p) {
  *p = 0xc0;
  return p + 1;
}

inline uint8_t* put_array(uint8_t* p, uint32_t n) {
  if (__builtin_expect(n < 16, 1)) {
    *p = static_cast<uint8_t>(0x90 | n);
    return p + 1;
  }
  if (n <= 0xffff) {
    p[0] = 0xdc;
    put_big_endian<uint16_t>(p + 1, static_cast<uint16_t>(n));
    return p + 3;
  }
  p[0] = 0xdd;
  put_big_endian<uint32_t>(p + 1, n);
  return p + 5;
}

// The payload's `len` bytes follow; the caller copies them.
inline uint8_t* put_bin_head(uint8_t* p, uint32_t len) {
  if (len <= 0xff) {
    p[0] = 0xc4;
    p[1] = static_cast<uint8_t>(len);
    return p + 2;
  }
  if (len <= 0xffff) {
    p[0] = 0xc5;
    put_big_endian<uint16_t>(p + 1, static_cast<uint16_t>(len));
    return p + 3;
  }
  p[0] = 0xc6;
  put_big_endian<uint32_t>(p + 1, len);
  return p + 5;
}

inline uint8_t* put_str_head(uint8_t* p, uint32_t len) {
  if (len < 32) {
    *p = static_cast<uint8_t>(0xa0 | len);
    return p + 1;
  }
  if (len <= 0xff) {
    p[0] = 0xd9;
    p[1] = static_cast<uint8_t>(len);
    return p + 2;
  }
  if (len <= 0xffff) {
    p[0] = 0xda;
    put_big_endian<uint16_t>(p + 1, static_cast<uint16_t>(len));
    return p + 3;
  }
  p[0] = 0xdb;
  put_big_endian<uint32_t>(p + 1, len);
  return p + 5;
}

// Reads values in order. A call that returns false has not moved, so the caller may try another type.
struct Reader {
  const uint8_t* p;
  const uint8_t* end;

  uint64_t left() const { return static_cast<uint64_t>(end - p); }

  bool array(uint32_t& n) {
    if (p >= end) return false;
    const uint8_t b = *p;
    if (__builtin_expect((b & 0xf0) == 0x90, 1)) {
      n = b & 0x0f;
      p += 1;
      return true;
    }
    if (b == 0xdc && left() >= 3) {
      n = get_big_endian<uint16_t>(p + 1);
      p += 3;
      return true;
    }
    if (b == 0xdd && left() >= 5) {
      n = get_big_endian<uint32_t>(p + 1);
      p += 5;
      return true;
    }
    return false;
  }

  // A uint64 above INT64_MAX comes out as its two's complement: the caller knows which fields are unsigned.
  bool integer(int64_t& v) {
    if (p >= end) return false;
    const uint8_t b = *p;
    if (__builtin_expect(b < 0x80, 1)) {
      v = b;
      p += 1;
      return true;
    }
    if (b >= 0xe0) {
      v = static_cast<int8_t>(b);
      p += 1;
      return true;
    }
    if (b < 0xcc || b > 0xd3) return false;
    const unsigned size = 1u << (b & 3);
    if (left() < 1 + size) return false;
    switch (b) {
      case 0xcc: v = p[1]; break;
      case 0xcd: v = get_big_endian<uint16_t>(p + 1); break;
      case 0xce: v = get_big_endian<uint32_t>(p + 1); break;
      case 0xd0: v = static_cast<int8_t>(p[1]); break;
      case 0xd1: v = static_cast<int16_t>(get_big_endian<uint16_t>(p + 1)); break;
      case 0xd2: v = static_cast<int32_t>(get_big_endian<uint32_t>(p + 1)); break;
      default: v = static_cast<int64_t>(get_big_endian<uint64_t>(p + 1)); break;  // 0xcf, 0xd3
    }
    p += 1 + size;
    return true;
  }

  // `data` points into the stream.
  bool bin(const uint8_t*& data, uint32_t& len) { return bytes(data, len, false); }
  bool str(const uint8_t*& data, uint32_t& len) { return bytes(data, len, true); }

  bool nil() {
    if (p >= end || *p != 0xc0) return false;
    p += 1;
    return true;
  }

  // One whole value, nested ones included. Iterative: the depth of a foreign stream must not decide how much stack is used.
  bool skip() {
    const uint8_t* const start = p;
    uint64_t pending = 1;
    while (pending > 0) {
      if (p >= end) return restore(start);
      const uint8_t b = *p;
      uint64_t size = 1, nested = 0;
      if (b < 0x80 || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3) {
      } else if (b < 0x90) {
        nested = 2ull * (b & 0x0f);
      } else if (b < 0xa0) {
        nested = b & 0x0f;
      } else if (b < 0xc0) {
        size += b & 0x1f;
      } else if (b >= 0xc4 && b <= 0xc9) {  // bin8..32, ext8..32: a length, then (ext only) a type byte
        const unsigned width = 1u << ((b - 0xc4) % 3);
        if (left() < 1 + width) return restore(start);
        size += width + length_at(p + 1, width) + (b >= 0xc7 ? 1 : 0);
      } else if (b == 0xca || b == 0xcb) {
        size += b == 0xca ? 4 : 8;
      } else if (b >= 0xcc && b <= 0xd3) {
        size += 1u << (b & 3);
      } else if (b >= 0xd4 && b <= 0xd8) {  // fixext
        size += 1 + (1u << (b - 0xd4));
      } else if (b >= 0xd9 && b <= 0xdb) {
        const unsigned width = 1u << (b - 0xd9);
        if (left() < 1 + width) return restore(start);
        size += width + length_at(p + 1, width);
      } else if (b >= 0xdc && b <= 0xdf) {  // array16/32, map16/32
        const unsigned width = (b & 1) ? 4 : 2;
        if (left() < 1 + width) return restore(start);
        size += width;
        nested = length_at(p + 1, width) * (b >= 0xde ? 2 : 1);
      } else {
        return restore(start);  // 0xc1 is never used
      }
      if (left() < size) return restore(start);
      p += size;
      pending += nested - 1;
    }
    return true;
  }

 private:
  bool restore(const uint8_t* start) {
    p = start;
    return false;
  }
  static uint64_t length_at(const uint8_t* at, unsigned width) {
    if (width == 1) return *at;
    return width == 2 ? get_big_endian<uint16_t>(at) : get_big_endian<uint32_t>(at);
  }
  bool bytes(const uint8_t*& data, uint32_t& len, bool text) {
    if (p >= end) return false;
    const uint8_t b = *p;
    uint64_t head = 1, n = 0;
    if (text && (b & 0xe0) == 0xa0) {
      n = b & 0x1f;
    } else {
      const uint8_t first = text ? 0xd9 : 0xc4;
      if (b < first || b > first + 2) return false;
      const unsigned width = 1u << (b - first);
      head += width;
      if (left() < head) return false;
      n = length_at(p + 1, width);
    }
    if (left() - head < n) return false;
    data = p + head;
    len = static_cast<uint32_t>(n);
    p += head + n;
    return true;
  }
};

}  // namespace understudy
