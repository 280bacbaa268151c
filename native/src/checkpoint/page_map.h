// Which pages are where: an ordered map from page numbers to places, kept as the fewest runs.
//
// Invariants:
//  - Runs never overlap, and two neighbours that go on in each other are one: what is mapped at restore is as long as it can be.
//
// Must not: know what a place is beyond "the next page of a run has the next place".
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <map>
#include <vector>

namespace understudy::host::checkpoint {

inline constexpr uint64_t kPageBytes = 4096;

// Where a page's bytes are: in a slot of a file, or nowhere because it is all zeros, or nowhere because whatever an older file says of it
// is void (the range was unmapped since, or discarded): then it has what its mapping gives (zeros; the mapped file's bytes).
struct Place {
  enum Kind : uint8_t { kZero = 0, kVoid = 1, kSlot = 2 };
  Kind kind = kZero;
  uint32_t file = 0;  // index in a chain; 0 while there is one file only
  uint64_t slot = 0;

  Place after(uint64_t pages) const { return kind == kSlot ? Place{kind, file, slot + pages} : *this; }
  bool operator==(const Place&) const = default;
};

struct PageRun {
  uint64_t page = 0, count = 0;
  Place place;
};

class PageMap {
 public:
  void assign(uint64_t page, uint64_t count, Place place);
  // Nothing is known of these any more.
  void erase(uint64_t page, uint64_t count);
  // Calls f(page, count, const Place*) for every stretch of [page, page + count); the place is null where nothing is known.
  template <class F>
  void for_each_in(uint64_t page, uint64_t count, F f) const {
    const uint64_t end = page + count;
    auto it = runs_.upper_bound(page);
    if (it != runs_.begin() && std::prev(it)->first + std::prev(it)->second.count > page) --it;
    while (page < end) {
      if (it == runs_.end() || it->first >= end) return f(page, end - page, static_cast<const Place*>(nullptr));
      if (it->first > page) {
        f(page, it->first - page, static_cast<const Place*>(nullptr));
        page = it->first;
      }
      const uint64_t skip = page - it->first, left = it->second.count - skip;
      const uint64_t here = left < end - page ? left : end - page;
      const Place place = it->second.place.after(skip);
      f(page, here, &place);
      page += here;
      ++it;
    }
  }
  std::vector<PageRun> runs() const;
  std::vector<PageRun> runs_in(uint64_t page, uint64_t count) const;
  size_t size() const { return runs_.size(); }

 private:
  struct Run {
    uint64_t count;
    Place place;
  };
  using Iterator = std::map<uint64_t, Run>::iterator;
  // Makes `page` the beginning of a run if it lies inside one.
  void split(uint64_t page);
  Iterator join(Iterator it);
  std::map<uint64_t, Run> runs_;
};

}  // namespace understudy::host::checkpoint
