// See manifest.h.
#include "manifest.h"

#include <string.h>

#include "packer.h"

namespace understudy::host::checkpoint {
namespace {

void pack_host(Packer* p, const MirrorIdentity& host) {
  p->array(5).unsigned_int(host.machine).unsigned_int(host.page_size);
  p->array(kCpuWords);
  for (uint32_t word : host.cpu) p->unsigned_int(word);
  p->unsigned_int(host.xcr0).string(host.cpu_model);
}

bool read_host(MsgpackReader* r, MirrorIdentity* host) {
  const uint64_t fields = r->array();
  host->machine = uint16_t(r->integer());
  host->page_size = uint32_t(r->integer());
  const uint64_t words = r->array();
  if (!r->ok() || words != kCpuWords) return false;
  for (uint32_t& word : host->cpu) word = uint32_t(r->integer());
  host->xcr0 = uint64_t(r->integer());
  const std::string_view model = r->bytes();
  memcpy(host->cpu_model, model.data(), std::min(model.size(), sizeof host->cpu_model - 1));
  return r->skip_appended(fields, 5);
}

bool read_region(MsgpackReader* r, Region* region) {
  const uint64_t fields = r->array();
  region->start = uint64_t(r->integer());
  region->end = uint64_t(r->integer());
  region->prot = uint32_t(r->integer());
  region->flags = uint32_t(r->integer());
  region->offset = uint64_t(r->integer());
  region->name = r->bytes();
  region->extra = r->bytes();
  return r->skip_appended(fields, 7) && region->start < region->end && region->start % kPageBytes == 0 &&
         region->end % kPageBytes == 0;
}

bool read_space(MsgpackReader* r, Space* space) {
  const uint64_t fields = r->array();
  space->id = uint32_t(r->integer());
  const int64_t kind = r->integer();
  if (kind != Space::kProcess && kind != Space::kShared) return false;
  space->kind = Space::Kind(kind);
  space->pid = r->integer();
  space->name = r->bytes();
  for (uint64_t left = r->array(); left > 0 && r->ok(); left--)
    if (!read_region(r, &space->regions.emplace_back())) return false;
  return r->skip_appended(fields, 5);
}

}  // namespace

const Space* Manifest::space(uint32_t id) const {
  for (const Space& space : spaces)
    if (space.id == id) return &space;
  return nullptr;
}

const Section* Manifest::section(std::string_view name) const {
  for (const Section& section : sections)
    if (section.name == name) return &section;
  return nullptr;
}

std::string encode_manifest(const Manifest& m) {
  Packer p;
  p.array(10).unsigned_int(m.version).unsigned_int(m.self.seq).unsigned_int(m.self.id);
  if (m.base) p.array(2).unsigned_int(m.base->seq).unsigned_int(m.base->id);
  else p.array(0);
  p.unsigned_int(m.epoch).unsigned_int(m.time_ns);
  pack_host(&p, m.host);
  p.string(m.host_name).string(m.kernel);
  p.array(m.spaces.size());
  for (const Space& space : m.spaces) {
    p.array(5).unsigned_int(space.id).unsigned_int(space.kind).signed_int(space.pid).string(space.name);
    p.array(space.regions.size());
    for (const Region& r : space.regions)
      p.array(7)
          .unsigned_int(r.start)
          .unsigned_int(r.end)
          .unsigned_int(r.prot)
          .unsigned_int(r.flags)
          .unsigned_int(r.offset)
          .string(r.name)
          .binary(r.extra);
  }
  return p.take();
}

bool decode_manifest(std::string_view bytes, Manifest* out) {
  MsgpackReader r(bytes);
  const uint64_t fields = r.array();
  out->version = uint32_t(r.integer());
  if (!r.ok() || out->version != kManifestVersion) return false;
  out->self.seq = uint64_t(r.integer());
  out->self.id = uint64_t(r.integer());
  const uint64_t base = r.array();
  if (base == 2) {
    out->base.emplace();
    out->base->seq = uint64_t(r.integer());
    out->base->id = uint64_t(r.integer());
    // Strictly downwards: a chain of files ends, whatever they claim.
    if (out->base->seq >= out->self.seq) return false;
  } else if (base != 0) {
    return false;
  }
  out->epoch = uint64_t(r.integer());
  out->time_ns = uint64_t(r.integer());
  if (!read_host(&r, &out->host)) return false;
  out->host_name = r.bytes();
  out->kernel = r.bytes();
  for (uint64_t left = r.array(); left > 0 && r.ok(); left--)
    if (!read_space(&r, &out->spaces.emplace_back())) return false;
  return r.skip_appended(fields, 10);
}

std::string encode_sections(const std::vector<Section>& sections) {
  Packer p;
  p.array(sections.size());
  for (const Section& section : sections) p.array(2).string(section.name).binary(section.data);
  return p.take();
}

bool decode_sections(std::string_view bytes, std::vector<Section>* out) {
  MsgpackReader r(bytes);
  for (uint64_t left = r.array(); left > 0 && r.ok(); left--) {
    if (r.array() != 2) return false;
    Section section;
    section.name = r.bytes();
    section.data = r.bytes();
    out->push_back(std::move(section));
  }
  return r.ok();
}

std::string encode_pages(const std::vector<SpacePages>& pages) {
  Packer p;
  p.array(pages.size());
  for (const SpacePages& space : pages) {
    p.array(2).unsigned_int(space.space);
    p.array(space.runs.size() * 3);
    // The gap from the run before, not the address: most take a byte then.
    uint64_t at = 0;
    for (const PageRun& run : space.runs) {
      p.unsigned_int(run.page - at).unsigned_int(run.count);
      p.unsigned_int(run.place.kind == Place::kSlot ? run.place.slot + 2 : uint64_t(run.place.kind));
      at = run.page + run.count;
    }
  }
  return p.take();
}

bool decode_pages(std::string_view bytes, uint64_t slots, std::vector<SpacePages>* out) {
  // Sums of page numbers below this cannot overflow; addresses have 47 bits (56 with five-level tables).
  constexpr uint64_t kPagesMax = 1ull << 52;
  MsgpackReader r(bytes);
  for (uint64_t left = r.array(); left > 0 && r.ok(); left--) {
    if (r.array() != 2) return false;
    SpacePages& space = out->emplace_back();
    space.space = uint32_t(r.integer());
    const uint64_t numbers = r.array();
    if (numbers % 3 != 0) return false;
    uint64_t at = 0;
    for (uint64_t i = 0; i < numbers && r.ok(); i += 3) {
      const uint64_t gap = uint64_t(r.integer()), count = uint64_t(r.integer()), where = uint64_t(r.integer());
      if (gap > kPagesMax || count == 0 || count > kPagesMax || at > kPagesMax) return false;
      PageRun run{at + gap, count, {}};
      if (where < 2) run.place.kind = Place::Kind(where);
      else run.place = {Place::kSlot, 0, where - 2};
      if (run.place.kind == Place::kSlot && (run.place.slot > slots || count > slots - run.place.slot)) return false;
      at = run.page + count;
      space.runs.push_back(run);
    }
  }
  return r.ok();
}

}  // namespace understudy::host::checkpoint
