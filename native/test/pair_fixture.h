// What the tests of replicas and pairs have in common.
#pragma once
#include <fstream>
#include <sstream>
#include <string>

#include "namespaces.h"

namespace understudy::host {

inline std::string read_text(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Namespaces of its own, whose first process is the program `init`.
inline Namespaces isolation_of(const std::string& init) {
  Namespaces out;
  out.init_path = init;
  return out;
}

}  // namespace understudy::host
