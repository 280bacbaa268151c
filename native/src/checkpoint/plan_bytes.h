// The restore plan's bytes: structures one behind the other, referred to by their offsets.
#pragma once
#include <stdint.h>
#include <string.h>

#include <string>
#include <vector>

namespace understudy::host::checkpoint {

// Offsets are final as soon as they are given.
class PlanBytes {
 public:
  template <class T>
  uint64_t put(const std::vector<T>& list) {
    return put(list.data(), list.size() * sizeof(T), 16);
  }
  uint64_t put(const void* data, size_t len, size_t align) {
    bytes_.resize((bytes_.size() + align - 1) / align * align);
    const uint64_t at = bytes_.size();
    bytes_.append(static_cast<const char*>(data), len);
    return at;
  }
  // Ends with a zero byte.
  uint64_t put_text(const std::string& text) { return put(text.c_str(), text.size() + 1, 1); }
  uint64_t reserve(size_t len) { return put(std::string(len, '\0').data(), len, 16); }
  template <class T>
  void set(uint64_t at, const T& value) {
    memcpy(&bytes_[at], &value, sizeof value);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace understudy::host::checkpoint
