// The Node-API surface: index.ts's `Addon` interface, value by value.
//
// Invariants:
//  - Everything that runs on is a session (addon_sessions.h); the rest returns at once.
//
// Must not: hold policy, or anything that a test without Node could not reach elsewhere.
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>

#include "addon_sessions.h"
#include "checkpoint/addon_checkpoints.h"
#include "elf_info.h"
#include "live_session.h"
#include "pair/addon_pair.h"
#include "sha256.h"

namespace understudy::host {
namespace {

Napi::Value start_record(const Napi::CallbackInfo& info) {
  Napi::Object o = options_of(info);
  RecordOptions options;
  options.argv = get_strings(o, "argv");
  if (options.argv.empty()) throw Napi::TypeError::New(info.Env(), "argv must not be empty");
  options.env = get_strings(o, "env");
  options.cwd = get_string(o, "cwd");
  options.journal_dir = get_string(o, "journalDir");
  options.cache_dir = get_string(o, "cacheDir");
  options.agent_path = get_string(o, "agentPath");
  bool lossless = false;
  if (!o.Get("ignoredSignals").IsBigInt()) throw Napi::TypeError::New(info.Env(), "ignoredSignals must be a bigint");
  options.ignored_signals = o.Get("ignoredSignals").As<Napi::BigInt>().Uint64Value(&lossless);
  options.ring_bytes = get_count(o, "ringBytes");
  options.segment_bytes = get_count(o, "segmentBytes");
  options.epoch = get_count(o, "epoch");
  options.kick_after_ms = uint32_t(get_count(o, "kickAfterMs"));
  options.continue_on_journal_error = get_string(o, "onJournalError") == "continue";
  options.checkpoint_every_ms = o.Get("checkpointEveryMs").IsUndefined() ? 0 : get_count(o, "checkpointEveryMs");
  options.checkpoint_keep = o.Get("checkpointKeep").IsUndefined() ? 0 : uint32_t(get_count(o, "checkpointKeep"));
  options.isolation = get_isolation(o);
  return start<RecordSession>(
      info, options, Keep::WithHandle, [](Napi::Object& handle, const std::weak_ptr<RecordSession>& session) {
        handle.Set("checkpoint", Napi::Function::New(handle.Env(), [session](const Napi::CallbackInfo& call) {
                     if (call.Length() < 1 || !call[0].IsNumber())
                       throw Napi::TypeError::New(call.Env(), "checkpoint needs a request number");
                     alive(call.Env(), session)->request_checkpoint(uint64_t(call[0].As<Napi::Number>().Int64Value()));
                   }));
      });
}

Napi::Value start_replay(const Napi::CallbackInfo& info) {
  Napi::Object o = options_of(info);
  ReplayOptions options;
  options.journal_dir = get_string(o, "journalDir");
  options.agent_path = get_string(o, "agentPath");
  options.stub_path = get_string(o, "stubPath");
  options.scratch_dir = get_string(o, "scratchDir");
  options.cache_dir = get_string(o, "cacheDir");
  options.until_seq = get_count(o, "untilSeq");
  options.from_seq = o.Get("fromSeq").IsUndefined() ? 0 : get_count(o, "fromSeq");
  options.quiet = o.Get("quiet").ToBoolean();
  options.ring_bytes = o.Get("ringBytes").IsUndefined() ? abi::kRingSizeDefault : get_count(o, "ringBytes");
  options.isolation = get_isolation(o);
  return start<ReplaySession>(info, options, Keep::WithHandle);
}

Napi::Value start_live(const Napi::CallbackInfo& info) {
  Napi::Object o = options_of(info);
  LiveOptions options;
  options.checkpoint_journal = get_string(o, "checkpointJournal");
  options.from_seq = get_count(o, "fromSeq");
  options.journal_dir = get_string(o, "journalDir");
  options.cache_dir = get_string(o, "cacheDir");
  options.agent_path = get_string(o, "agentPath");
  options.stub_path = get_string(o, "stubPath");
  options.scratch_dir = get_string(o, "scratchDir");
  options.ring_bytes = get_count(o, "ringBytes");
  options.segment_bytes = get_count(o, "segmentBytes");
  options.kick_after_ms = uint32_t(get_count(o, "kickAfterMs"));
  const std::optional<Namespaces> isolation = get_isolation(o);
  if (!isolation || !isolation->pid)
    throw Napi::TypeError::New(info.Env(), "what goes on live needs a PID namespace: it has the numbers that it had");
  options.isolation = *isolation;
  return start<LiveSession>(info, options, Keep::WithHandle);
}

// ---- Functions ---------------------------------------------------------------------------------------------------------

Napi::Value analyse_elf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsString()) throw Napi::TypeError::New(env, "expected a path");
  static const char* const kinds[] = {"syscall", "rdtsc", "rdtscp", "rdrand", "rdseed", "rdpid", "cpuid"};
  try {
    const ElfInfo elf = elf_info(info[0].As<Napi::String>().Utf8Value());
    Plain::Object sites;
    for (uint32_t kind = 0; kind <= abi::kSiteCpuid; kind++) {
      uint64_t found = 0, patchable = 0;
      for (const Site& site : elf.sites->sites) {
        found += site.kind == kind;
        patchable += site.kind == kind && is_rewritten(site.reason);
      }
      sites.emplace_back(kinds[kind], Plain::Object{{"found", found}, {"patchable", patchable}});
    }
    Plain::List unpatchable, needed;
    for (const Site& site : elf.sites->sites) {
      if (is_rewritten(site.reason)) continue;
      unpatchable.emplace_back(Plain::Object{{"kind", kinds[site.kind]},
                                             {"address", BigUnsigned{elf.address_of(site.offset)}},
                                             {"reason", site_reason_text(SiteReason(site.reason))}});
    }
    for (const std::string& name : elf.needed) needed.emplace_back(name);
    return to_js(env, Plain::Object{{"type", elf.type},
                                    {"machine", elf.machine},
                                    {"interpreter", elf.interpreter},
                                    {"needed", std::move(needed)},
                                    {"buildId", elf.build_id},
                                    {"static", elf.is_static},
                                    {"sites", std::move(sites)},
                                    {"unpatchable", std::move(unpatchable)},
                                    {"int80", elf.sites->int80},
                                    {"gsUse", elf.sites->gs_use}});
  } catch (const HostError& error) { throw_js(env, error); }
}

// A name or a number; undefined when there is no such user. By way of the C library, so that directories other than /etc/passwd count.
Napi::Value lookup_user(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsString()) throw Napi::TypeError::New(env, "expected a user's name or number");
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  std::vector<char> buffer(64 << 10);
  passwd entry{};
  passwd* found = nullptr;
  getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr && !name.empty() && name.size() < 10 &&
      name.find_first_not_of("0123456789") == std::string::npos)
    getpwuid_r(uid_t(std::stoul(name)), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return env.Undefined();
  int count = 0;
  getgrouplist(found->pw_name, found->pw_gid, nullptr, &count);
  std::vector<gid_t> groups(size_t(std::max(count, 1)));
  count = int(groups.size());
  if (getgrouplist(found->pw_name, found->pw_gid, groups.data(), &count) < 0) count = 0;
  Plain::List list;
  for (int i = 0; i < count; i++) list.emplace_back(double(groups[size_t(i)]));
  return to_js(env, Plain::Object{{"name", found->pw_name},
                                  {"uid", double(found->pw_uid)},
                                  {"gid", double(found->pw_gid)},
                                  {"groups", std::move(list)},
                                  {"home", found->pw_dir}});
}

Napi::Value crc32c_js(const Napi::CallbackInfo& info) {
  if (info.Length() < 2 || !info[0].IsTypedArray() || !info[1].IsNumber())
    throw Napi::TypeError::New(info.Env(), "expected (Uint8Array, seed)");
  auto array = info[0].As<Napi::TypedArray>();
  const auto* data = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return Napi::Number::New(info.Env(), crc32c(info[1].As<Napi::Number>().Uint32Value(), data, array.ByteLength()));
}

Napi::Value sha256_js(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsTypedArray()) throw Napi::TypeError::New(info.Env(), "expected a Uint8Array");
  auto array = info[0].As<Napi::TypedArray>();
  const auto* data = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  const Sha256 sha = sha256_of(data, array.ByteLength());
  return Napi::String::New(info.Env(), hex(sha.data(), sha.size()));
}

Napi::Value sha256_file(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsString()) throw Napi::TypeError::New(info.Env(), "expected a path");
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st;
  Sha256 sha;
  if (!file || fstat(file.get(), &st) != 0 || !sha256_of_file(file.get(), uint64_t(st.st_size), &sha))
    throw_js(info.Env(), HostError("FILE", errno, path, "cannot read " + path + ": " + errno_text(errno)));
  return Napi::String::New(info.Env(), hex(sha.data(), sha.size()));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* registry = new Registry;
  env.SetInstanceData(registry);  // deleted with the environment
  // Before the environment goes: sessions still running are ended while their events can be dropped safely.
  env.AddCleanupHook([registry] { registry->sessions.clear(); });
  exports.Set("startRecord", Napi::Function::New(env, start_record));
  exports.Set("startReplay", Napi::Function::New(env, start_replay));
  exports.Set("startLive", Napi::Function::New(env, start_live));
  add_pair(env, exports);
  add_checkpoints(env, exports);
  exports.Set("analyseElf", Napi::Function::New(env, analyse_elf));
  exports.Set("lookupUser", Napi::Function::New(env, lookup_user));
  exports.Set("crc32c", Napi::Function::New(env, crc32c_js));
  exports.Set("sha256", Napi::Function::New(env, sha256_js));
  exports.Set("sha256File", Napi::Function::New(env, sha256_file));
  // Part of meta.json: replay needs the same analysis that record used.
  exports.Set("sitesVersion", Napi::Number::New(env, kSitesVersion));
  return exports;
}

}  // namespace
}  // namespace understudy::host

static Napi::Object understudy_init(Napi::Env env, Napi::Object exports) {
  return understudy::host::init(env, exports);
}
NODE_API_MODULE(understudy, understudy_init)
