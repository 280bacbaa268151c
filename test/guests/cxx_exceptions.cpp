// C++ exceptions thrown over system calls, from threads, with destructors
// link: -pthread
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>
struct Guard {
  int& counter;
  explicit Guard(int& c) : counter(c) {}
  ~Guard() { counter += getppid() >= 0; }
};
static int deep(int n, int& counter) {
  Guard guard(counter);
  if (n == 0) throw std::runtime_error("pid " + std::to_string(getpid()));
  return deep(n - 1, counter) + 1;
}
int main() {
  int counter = 0;
  for (int i = 0; i < 100; i++) {
    try {
      deep(i, counter);
    } catch (const std::runtime_error& error) {
      if (i == 0) std::puts(error.what());
    }
  }
  if (counter != 5050) return 1;
  std::vector<std::thread> threads;
  std::exception_ptr caught[4];
  for (int i = 0; i < 4; i++)
    threads.emplace_back([i, &caught] {
      try {
        int own = 0;
        deep(10 + i, own);
      } catch (...) { caught[i] = std::current_exception(); }
    });
  for (auto& thread : threads) thread.join();
  for (auto& one : caught) try {
      std::rethrow_exception(one);
    } catch (const std::exception& error) { std::printf("thread: %s\n", error.what()); }
}
