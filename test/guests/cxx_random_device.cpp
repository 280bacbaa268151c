// std::random_device, unordered_map with address hashes, iostreams, system_clock, thread ids
// link: -pthread
#include <chrono>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>
#include <thread>
#include <unordered_map>
int main() {
  std::random_device device;
  std::mt19937_64 generator(device());
  std::unordered_map<void*, unsigned long> table;
  std::vector<std::unique_ptr<int>> owned;
  for (int i = 0; i < 50; i++) {
    owned.push_back(std::make_unique<int>(i));
    table[owned.back().get()] = generator();
  }
  unsigned long hash = 0;
  for (const auto& [address, value] : table) hash = hash * 31 + value + reinterpret_cast<unsigned long>(address);
  std::ostringstream text;
  text << std::this_thread::get_id();
  std::cout << hash << ' ' << text.str() << ' ' << std::chrono::system_clock::now().time_since_epoch().count()
            << std::endl;
}
