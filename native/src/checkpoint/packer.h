// A msgpack writer without a bound, for manifests and the core's sections. Read with MsgpackReader.
#pragma once
#include <string>
#include <string_view>

#include "msgpack.h"

namespace understudy::host::checkpoint {

class Packer {
 public:
  Packer& array(size_t count) { return head(count, 15, 0x90, 0, 0xdc); }
  Packer& unsigned_int(uint64_t v) {
    MsgpackWriter one;
    one.unsigned_int(v);
    return append(one);
  }
  Packer& signed_int(int64_t v) {
    MsgpackWriter one;
    one.signed_int(v);
    return append(one);
  }
  Packer& nil() { return byte(0xc0); }
  Packer& string(std::string_view s) {
    head(s.size(), 31, 0xa0, 0xd9, 0xda);
    out_.append(s);
    return *this;
  }
  Packer& binary(std::string_view s) {
    head(s.size(), -1, 0, 0xc4, 0xc5);
    out_.append(s);
    return *this;
  }
  Packer& binary(const void* data, size_t len) { return binary({static_cast<const char*>(data), len}); }
  // Bytes that are msgpack already.
  Packer& raw(std::string_view s) {
    out_.append(s);
    return *this;
  }
  const std::string& bytes() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  // `with_8` is 0 where the type has no form with a length of one byte.
  Packer& head(size_t count, int fix_max, uint8_t fix, uint8_t with_8, uint8_t with_16) {
    if (fix_max >= 0 && count <= size_t(fix_max)) return byte(uint8_t(fix | count));
    if (with_8 != 0 && count <= 0xff) return byte(with_8).be(count, 1);
    if (count <= 0xffff) return byte(with_16).be(count, 2);
    return byte(uint8_t(with_16 + 1)).be(count, 4);
  }
  Packer& byte(uint8_t b) {
    out_ += char(b);
    return *this;
  }
  Packer& be(uint64_t v, int width) {
    for (int i = width - 1; i >= 0; i--) byte(uint8_t(v >> (8 * i)));
    return *this;
  }
  Packer& append(const MsgpackWriter& one) {
    out_.append(reinterpret_cast<const char*>(one.data()), one.size());
    return *this;
  }
  std::string out_;
};

}  // namespace understudy::host::checkpoint
