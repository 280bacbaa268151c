// See feeder.h.
#include "feeder.h"

namespace understudy::host {
Feeder::Feeder(MemoryFile& memory, const std::string& journal_dir, OnEnd on_end)
    : ring_(memory), reader_(journal_dir), on_end_(std::move(on_end)) {
  thread_ = start_thread("us-feeder", [this] { run(); });
}

Feeder::~Feeder() { stop(); }

void Feeder::stop() {
  if (!thread_.joinable()) return;
  ring_.stop();
  thread_.join();
}

void Feeder::run() {
  while (auto batch = reader_.next()) {
    if (!ring_.publish(batch->events, batch->len)) return;
  }
  ring_.close();
  on_end_(reader_.cut());
}

}  // namespace understudy::host
