// Plain data on its way to JavaScript: a small tree that any thread can build and only addon.cc turns into JS values.
#pragma once
#include <stdint.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace understudy::host {

struct BigUnsigned {
  uint64_t value;
};
struct BigSigned {
  int64_t value;
};

class Plain {
 public:
  using List = std::vector<Plain>;
  using Object = std::vector<std::pair<std::string, Plain>>;
  Plain(bool v) : value(v) {}
  Plain(double v) : value(v) {}
  Plain(int v) : value(double(v)) {}
  Plain(uint32_t v) : value(double(v)) {}
  // Counts and sizes: exact up to 2^53, which index.ts promises.
  Plain(int64_t v) : value(double(v)) {}
  Plain(uint64_t v) : value(double(v)) {}
  Plain(BigUnsigned v) : value(v) {}
  Plain(BigSigned v) : value(v) {}
  Plain(const char* v) : value(std::string(v)) {}
  Plain(std::string v) : value(std::move(v)) {}
  Plain(List v) : value(std::move(v)) {}
  Plain(Object v) : value(std::move(v)) {}
  std::variant<bool, double, BigUnsigned, BigSigned, std::string, List, Object> value;
};

}  // namespace understudy::host
