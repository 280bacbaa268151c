// The Node-API surface: index.ts's `Addon` interface, value by value.
//
// Invariants:
//  - Sessions live in a registry until their `ended` event is delivered: a handle that JavaScript forgets must not end a recording.
//  - Callbacks run on the main thread only (ThreadSafeFunction).
//
// Must not: hold policy, or anything that a test without Node could not reach elsewhere.
#include <grp.h>
#include <napi.h>
#include <pwd.h>

#include <algorithm>
#include <set>

#include "elf_info.h"
#include "session.h"

namespace understudy::host {
namespace {

Napi::Value to_js(Napi::Env env, const Plain& plain);

Napi::Object to_js(Napi::Env env, const Plain::Object& fields) {
  Napi::Object out = Napi::Object::New(env);
  for (const auto& [name, value] : fields) out.Set(name, to_js(env, value));
  return out;
}

Napi::Value to_js(Napi::Env env, const Plain& plain) {
  struct Visitor {
    Napi::Env env;
    Napi::Value operator()(bool v) const { return Napi::Boolean::New(env, v); }
    Napi::Value operator()(double v) const { return Napi::Number::New(env, v); }
    Napi::Value operator()(BigUnsigned v) const { return Napi::BigInt::New(env, v.value); }
    Napi::Value operator()(BigSigned v) const { return Napi::BigInt::New(env, v.value); }
    Napi::Value operator()(const std::string& v) const { return Napi::String::New(env, v); }
    Napi::Value operator()(const Plain::List& v) const {
      Napi::Array out = Napi::Array::New(env, v.size());
      for (uint32_t i = 0; i < v.size(); i++) out.Set(i, to_js(env, v[i]));
      return out;
    }
    Napi::Value operator()(const Plain::Object& v) const { return to_js(env, v); }
  };
  return std::visit(Visitor{env}, plain.value);
}

[[noreturn]] void throw_js(Napi::Env env, const HostError& error) {
  Napi::Error js = Napi::Error::New(env, error.what());
  js.Set("code", error.code);
  if (error.error != 0) js.Set("errnoName", errno_name(error.error));
  if (!error.path.empty()) js.Set("path", error.path);
  throw js;
}

std::string get_string(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  if (!value.IsString()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a string");
  return value.As<Napi::String>().Utf8Value();
}

double get_number(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  if (!value.IsNumber()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a number");
  return value.As<Napi::Number>().DoubleValue();
}

uint64_t get_count(const Napi::Object& object, const char* name) {
  const double value = get_number(object, name);
  if (!(value >= 0 && value <= 9007199254740991.0))
    throw Napi::RangeError::New(object.Env(), std::string(name) + " is out of range");
  return uint64_t(value);
}

std::vector<std::string> get_strings(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  if (!value.IsArray()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be an array of strings");
  auto array = value.As<Napi::Array>();
  std::vector<std::string> out;
  for (uint32_t i = 0; i < array.Length(); i++) {
    Napi::Value item = array.Get(i);
    if (!item.IsString()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be an array of strings");
    out.push_back(item.As<Napi::String>().Utf8Value());
  }
  return out;
}

uint32_t id_of(const Napi::Env& env, const Napi::Value& value, const char* what) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number < 4294967295.0) || number != double(uint32_t(number)))
    throw Napi::TypeError::New(env, std::string(what) + " must be a user's or group's number");
  return uint32_t(number);
}

// index.ts's Isolation; absent: none.
std::optional<Namespaces> get_isolation(const Napi::Object& object) {
  Napi::Value value = object.Get("isolation");
  if (value.IsUndefined()) return std::nullopt;
  Napi::Env env = object.Env();
  if (!value.IsObject()) throw Napi::TypeError::New(env, "isolation must be an object");
  auto given = value.As<Napi::Object>();
  Namespaces out;
  out.init_path = get_string(given, "initPath");
  auto flag = [&](const char* name, bool* to) {
    if (!given.Get(name).IsUndefined()) *to = given.Get(name).ToBoolean();
  };
  flag("pid", &out.pid);
  flag("mount", &out.mount);
  flag("ipc", &out.ipc);
  flag("uts", &out.uts);
  if (!given.Get("hostname").IsUndefined()) out.hostname = get_string(given, "hostname");
  if (Napi::Value binds = given.Get("binds"); !binds.IsUndefined()) {
    if (!binds.IsArray()) throw Napi::TypeError::New(env, "isolation.binds must be an array");
    auto array = binds.As<Napi::Array>();
    for (uint32_t i = 0; i < array.Length(); i++) {
      Napi::Value item = array.Get(i);
      if (!item.IsObject()) throw Napi::TypeError::New(env, "isolation.binds must hold objects");
      auto bind = item.As<Napi::Object>();
      out.binds.push_back({get_string(bind, "source"), get_string(bind, "target"), bind.Get("readOnly").ToBoolean()});
    }
  }
  if (Napi::Value user = given.Get("user"); !user.IsUndefined()) {
    if (!user.IsObject()) throw Napi::TypeError::New(env, "isolation.user must be an object");
    auto fields = user.As<Napi::Object>();
    User as;
    as.uid = id_of(env, fields.Get("uid"), "isolation.user.uid");
    as.gid = id_of(env, fields.Get("gid"), "isolation.user.gid");
    if (Napi::Value groups = fields.Get("groups"); !groups.IsUndefined()) {
      if (!groups.IsArray()) throw Napi::TypeError::New(env, "isolation.user.groups must be an array");
      auto array = groups.As<Napi::Array>();
      for (uint32_t i = 0; i < array.Length(); i++)
        as.groups.push_back(id_of(env, array.Get(i), "isolation.user.groups"));
    }
    out.user = as;
  }
  return out;
}

// ---- Sessions ----------------------------------------------------------------------------------------------------------

struct Registry {
  std::set<std::shared_ptr<Session>> sessions;
};

// What is shared between a session's threads and the main thread.
struct Delivery {
  Napi::ThreadSafeFunction function;
  Registry* registry;
  std::weak_ptr<Session> session;
  std::atomic<bool> closing{false};
};

EmitEvent make_emit(const std::shared_ptr<Delivery>& delivery) {
  return [delivery](Plain::Object event) {
    if (delivery->closing) return;
    auto heap = std::make_unique<Plain::Object>(std::move(event));
    auto call = [delivery](Napi::Env env, Napi::Function callback, Plain::Object* data) {
      std::unique_ptr<Plain::Object> owned(data);
      // The environment may be going away.
      if (static_cast<napi_env>(env) == nullptr) return;
      const std::string* type = std::get_if<std::string>(&owned->front().second.value);
      const bool ended = type != nullptr && *type == "ended";
      if (ended) {
        // Released before the callback, which may throw.
        delivery->closing = true;
        if (auto session = delivery->session.lock()) delivery->registry->sessions.erase(session);
        delivery->function.Release();
      }
      callback.Call({to_js(env, *owned)});
    };
    // On success the call above owns it.
    if (delivery->function.NonBlockingCall(heap.get(), call) == napi_ok) static_cast<void>(heap.release());
    else delivery->closing = true;
  };  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks)
}

template <class SessionType, class Options>
Napi::Value start(const Napi::CallbackInfo& info, const Options& options) {
  Napi::Env env = info.Env();
  auto* registry = env.GetInstanceData<Registry>();
  auto delivery = std::make_shared<Delivery>();
  delivery->registry = registry;
  delivery->function = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "understudy", 0, 1);
  std::shared_ptr<Session> session;
  try {
    session = std::make_shared<SessionType>(options, make_emit(delivery));
  } catch (const HostError& error) {
    delivery->closing = true;
    delivery->function.Release();
    throw_js(env, error);
  }
  delivery->session = session;
  registry->sessions.insert(session);

  Napi::Object handle = Napi::Object::New(env);
  handle.Set("pid", Napi::Number::New(env, session->pid()));
  handle.Set("stats", Napi::Function::New(env, [session](const Napi::CallbackInfo& call) -> Napi::Value {
               return to_js(call.Env(), session->stats());
             }));
  handle.Set("kill", Napi::Function::New(env, [session](const Napi::CallbackInfo& call) {
               if (call.Length() < 1 || !call[0].IsNumber())
                 throw Napi::TypeError::New(call.Env(), "kill needs a signal number");
               session->kill(call[0].As<Napi::Number>().Int32Value());
             }));
  return handle;
}

Napi::Object options_of(const Napi::CallbackInfo& info) {
  if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsFunction())
    throw Napi::TypeError::New(info.Env(), "expected (options, onEvent)");
  return info[0].As<Napi::Object>();
}

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
  options.ring_bytes = get_count(o, "ringBytes");
  options.segment_bytes = get_count(o, "segmentBytes");
  options.epoch = get_count(o, "epoch");
  options.kick_after_ms = uint32_t(get_count(o, "kickAfterMs"));
  options.continue_on_journal_error = get_string(o, "onJournalError") == "continue";
  options.isolation = get_isolation(o);
  return start<RecordSession>(info, options);
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
  options.quiet = o.Get("quiet").ToBoolean();
  options.ring_bytes = o.Get("ringBytes").IsUndefined() ? abi::kRingSizeDefault : get_count(o, "ringBytes");
  options.isolation = get_isolation(o);
  return start<ReplaySession>(info, options);
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
  if (found == nullptr && !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos)
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

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* registry = new Registry;
  env.SetInstanceData(registry);  // deleted with the environment
  // Before the environment goes: sessions still running are ended while their events can be dropped safely.
  env.AddCleanupHook([registry] { registry->sessions.clear(); });
  exports.Set("startRecord", Napi::Function::New(env, start_record));
  exports.Set("startReplay", Napi::Function::New(env, start_replay));
  exports.Set("analyseElf", Napi::Function::New(env, analyse_elf));
  exports.Set("lookupUser", Napi::Function::New(env, lookup_user));
  exports.Set("crc32c", Napi::Function::New(env, crc32c_js));
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
