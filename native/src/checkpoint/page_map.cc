// See page_map.h.
#include "page_map.h"

namespace understudy::host::checkpoint {

void PageMap::split(uint64_t page) {
  auto it = runs_.upper_bound(page);
  if (it == runs_.begin()) return;
  --it;
  const uint64_t before = page - it->first;
  if (before == 0 || before >= it->second.count) return;
  runs_.emplace(page, Run{it->second.count - before, it->second.place.after(before)});
  it->second.count = before;
}

// Joins a run with the one before it where that goes on in it; returns the run that it is part of now.
PageMap::Iterator PageMap::join(Iterator it) {
  if (it == runs_.begin()) return it;
  auto previous = std::prev(it);
  if (previous->first + previous->second.count != it->first ||
      !(previous->second.place.after(previous->second.count) == it->second.place))
    return it;
  previous->second.count += it->second.count;
  runs_.erase(it);
  return previous;
}

void PageMap::erase(uint64_t page, uint64_t count) {
  split(page);
  split(page + count);
  runs_.erase(runs_.lower_bound(page), runs_.lower_bound(page + count));
}

void PageMap::assign(uint64_t page, uint64_t count, Place place) {
  if (count == 0) return;
  erase(page, count);
  auto it = join(runs_.emplace(page, Run{count, place}).first);
  if (auto next = std::next(it); next != runs_.end()) join(next);
}

std::vector<PageRun> PageMap::runs() const {
  std::vector<PageRun> out;
  out.reserve(runs_.size());
  for (const auto& [page, run] : runs_) out.push_back({page, run.count, run.place});
  return out;
}

std::vector<PageRun> PageMap::runs_in(uint64_t page, uint64_t count) const {
  std::vector<PageRun> out;
  for_each_in(page, count, [&](uint64_t first, uint64_t pages, const Place* place) {
    if (place != nullptr) out.push_back({first, pages, *place});
  });
  return out;
}

}  // namespace understudy::host::checkpoint
