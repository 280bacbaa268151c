// std::async, futures, condition_variable, atomics, shared_mutex, chrono
// link: -pthread
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>
int main() {
  auto start = std::chrono::steady_clock::now();
  std::vector<std::future<long>> futures;
  for (long i = 0; i < 8; i++)
    futures.push_back(std::async(std::launch::async, [i] {
      std::this_thread::sleep_for(std::chrono::milliseconds(i % 3));
      return i * i;
    }));
  long sum = 0;
  for (auto& future : futures) sum += future.get();
  if (sum != 140) return 1;
  std::shared_mutex lock;
  std::atomic<int> readers{0}, seen{0};
  int value = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 200; k++) {
        if (i == 0) {
          std::unique_lock guard(lock);
          value++;
        } else {
          std::shared_lock guard(lock);
          readers++;
          seen = seen + value;
        }
      }
    });
  for (auto& thread : threads) thread.join();
  if (value != 200 || readers != 600) return 2;
  std::promise<int> promise;
  auto future = promise.get_future();
  if (future.wait_for(std::chrono::milliseconds(2)) != std::future_status::timeout) return 3;
  promise.set_value(1);
  auto took = std::chrono::steady_clock::now() - start;
  std::printf("seen %d, took %lld ns\n", seen.load(), static_cast<long long>(took.count()));
}
