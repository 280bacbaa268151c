// See addon_checkpoints.h.
#include "addon_checkpoints.h"

#include <algorithm>

#include "../addon_values.h"
#include "state_chain.h"

namespace understudy::host {
namespace {

using namespace checkpoint;

// A file of which every page is damaged would make a list of thousands; the rest is counted.
constexpr size_t kDamagesMax = 100;

struct Arguments {
  std::string journal_dir;
  uint64_t seq = 0;
};

Arguments arguments_of(const Napi::CallbackInfo& info, bool with_seq) {
  if (info.Length() < 1 || !info[0].IsString())
    throw Napi::TypeError::New(info.Env(), "expected a journal's directory");
  Arguments out{info[0].As<Napi::String>().Utf8Value()};
  if (!with_seq) return out;
  if (info.Length() < 2 || !info[1].IsNumber())
    throw Napi::TypeError::New(info.Env(), "expected a checkpoint's event number");
  out.seq = uint64_t(info[1].As<Napi::Number>().Int64Value());
  return out;
}

Plain::Object plain(const Damage& d) {
  Plain::Object o{{"part", d.part},     {"what", d.what},     {"path", d.path},
                  {"offset", d.offset}, {"length", d.length}, {"text", d.text()}};
  if (d.space) {
    o.emplace_back("page", Plain::Object{{"space", *d.space},
                                         {"name", d.space_name},
                                         {"pid", d.pid},
                                         {"address", BigUnsigned{d.address}},
                                         {"region", d.region}});
  }
  return o;
}

uint64_t mapped_bytes(const Space& space) {
  uint64_t bytes = 0;
  for (const Region& region : space.regions) bytes += region.end - region.start;
  return bytes;
}

uint64_t count_of(const Manifest& manifest, Space::Kind kind) {
  return uint64_t(
      std::count_if(manifest.spaces.begin(), manifest.spaces.end(), [&](const Space& s) { return s.kind == kind; }));
}

// What can be told without reading the page data.
Plain::Object summary(const std::string& journal_dir, uint64_t seq) {
  Plain::Object o{{"seq", seq}, {"path", state_path(journal_dir, seq)}};
  try {
    const StateChain chain(journal_dir, seq);
    const Manifest& m = chain.manifest();
    uint64_t bytes = 0, mapped = 0;
    for (const Space& space : m.spaces) mapped += mapped_bytes(space);
    Plain::List files;
    for (uint32_t i = 0; i < chain.size(); i++) {
      const StateFile& file = chain.file(i);
      if (i == 0) bytes = file.file_bytes();
      files.emplace_back(Plain::Object{{"seq", file.manifest().self.seq},
                                       {"path", file.path()},
                                       {"bytes", file.file_bytes()},
                                       {"pageBytes", file.slots() * kPageBytes}});
    }
    o.emplace_back("usable", true);
    o.emplace_back("bytes", bytes);
    o.emplace_back("timeMs", m.time_ns / 1000000);
    o.emplace_back("epoch", m.epoch);
    if (m.base) o.emplace_back("base", m.base->seq);
    o.emplace_back("processes", count_of(m, Space::kProcess));
    o.emplace_back("sharedObjects", count_of(m, Space::kShared));
    o.emplace_back("mappedBytes", mapped);
    o.emplace_back("files", std::move(files));
  } catch (const DamageError& error) {
    o.emplace_back("usable", false);
    o.emplace_back("problem", error.what());
    o.emplace_back("damage", plain(error.damage));
  } catch (const HostError& error) {
    o.emplace_back("usable", false);
    o.emplace_back("problem", error.what());
  }
  return o;
}

Napi::Value list(const Napi::CallbackInfo& info) {
  const Arguments a = arguments_of(info, false);
  try {
    Plain::List out;
    for (uint64_t seq : list_checkpoints(a.journal_dir)) out.emplace_back(summary(a.journal_dir, seq));
    return to_js(info.Env(), out);
  } catch (const HostError& error) { throw_js(info.Env(), error); }
}

Napi::Value describe(const Napi::CallbackInfo& info) {
  const Arguments a = arguments_of(info, true);
  try {
    const StateChain chain(a.journal_dir, a.seq);
    const Manifest& m = chain.manifest();
    Plain::Object o = summary(a.journal_dir, a.seq);
    o.emplace_back("hostName", m.host_name);
    o.emplace_back("kernel", m.kernel);
    o.emplace_back("cpu", std::string(m.host.cpu_model));
    o.emplace_back("incompatibility", incompatibility(m.host, local_identity()));
    Plain::List spaces, sections;
    for (const Space& space : m.spaces) {
      uint64_t stored = 0, zero = 0;
      for (const PageRun& run : chain.resolve(space.id))
        (run.place.kind == Place::kSlot ? stored : zero) += run.count * kPageBytes;
      Plain::List regions;
      for (const Region& r : space.regions) {
        regions.emplace_back(Plain::Object{{"start", BigUnsigned{r.start}},
                                           {"end", BigUnsigned{r.end}},
                                           {"prot", r.prot},
                                           {"flags", r.flags},
                                           {"offset", BigUnsigned{r.offset}},
                                           {"name", r.name}});
      }
      spaces.emplace_back(Plain::Object{{"id", space.id},
                                        {"kind", space.kind == Space::kProcess ? "process" : "shared"},
                                        {"pid", space.pid},
                                        {"name", space.name},
                                        {"mappedBytes", mapped_bytes(space)},
                                        {"storedBytes", stored},
                                        {"zeroBytes", zero},
                                        {"regions", std::move(regions)}});
    }
    for (const Section& section : m.sections)
      sections.emplace_back(Plain::Object{{"name", section.name}, {"bytes", uint64_t(section.data.size())}});
    o.emplace_back("spaces", std::move(spaces));
    o.emplace_back("sections", std::move(sections));
    return to_js(info.Env(), o);
  } catch (const HostError& error) { throw_js(info.Env(), error); }
}

// Reads every byte; returns when that is done, which takes about a third of a second for a GiB in the page cache.
Napi::Value verify(const Napi::CallbackInfo& info) {
  const Arguments a = arguments_of(info, true);
  try {
    Plain::List damages;
    uint64_t found = 0, bytes = 0, files = 0;
    try {
      const StateChain chain(a.journal_dir, a.seq);
      for (uint32_t i = 0; i < chain.size(); i++) bytes += chain.file(i).file_bytes();
      files = chain.size();
      chain.verify([&](const Damage& damage) {
        if (found++ < kDamagesMax) damages.emplace_back(plain(damage));
      });
    } catch (const DamageError& error) {
      found++;
      damages.emplace_back(plain(error.damage));
    }
    return to_js(info.Env(), Plain::Object{{"seq", a.seq},
                                           {"path", state_path(a.journal_dir, a.seq)},
                                           {"ok", found == 0},
                                           {"files", files},
                                           {"bytes", bytes},
                                           {"damaged", found},
                                           {"damages", std::move(damages)}});
  } catch (const HostError& error) { throw_js(info.Env(), error); }
}

Napi::Value remove(const Napi::CallbackInfo& info) {
  const Arguments a = arguments_of(info, true);
  try {
    Plain::List folded;
    for (uint64_t seq : remove_checkpoint(a.journal_dir, a.seq)) folded.emplace_back(seq);
    return to_js(info.Env(), folded);
  } catch (const HostError& error) { throw_js(info.Env(), error); }
}

Napi::Value remove_before(const Napi::CallbackInfo& info) {
  const Arguments a = arguments_of(info, true);
  try {
    Plain::List removed;
    for (uint64_t seq : release_before(a.journal_dir, a.seq)) removed.emplace_back(seq);
    return to_js(info.Env(), removed);
  } catch (const HostError& error) { throw_js(info.Env(), error); }
}

}  // namespace

void add_checkpoints(Napi::Env env, Napi::Object& exports) {
  exports.Set("listCheckpoints", Napi::Function::New(env, list));
  exports.Set("describeCheckpoint", Napi::Function::New(env, describe));
  exports.Set("verifyCheckpoint", Napi::Function::New(env, verify));
  exports.Set("removeCheckpoint", Napi::Function::New(env, remove));
  exports.Set("releaseCheckpointsBefore", Napi::Function::New(env, remove_before));
}

}  // namespace understudy::host
