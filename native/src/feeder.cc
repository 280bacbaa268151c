// See feeder.h.
#include "feeder.h"

#include "msgpack.h"

namespace understudy::host {
Feeder::Feeder(MemoryFile& memory, const std::string& journal_dir, OnEnd on_end, uint64_t after)
    : after_(after), ring_(memory, after), reader_(journal_dir, after + 1), on_end_(std::move(on_end)) {
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
    const uint8_t* const end = batch->events + batch->len;
    for (; batch->first_seq <= after_ && batch->events < end; batch->first_seq++)
      batch->events += event_length(batch->events, end);
    batch->len = size_t(end - batch->events);
    if (batch->len == 0) continue;
    if (!ring_.publish(batch->events, batch->len)) return;
  }
  ring_.close();
  on_end_(reader_.cut());
}

}  // namespace understudy::host
