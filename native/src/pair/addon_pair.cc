// See addon_pair.h.
#include "pair/addon_pair.h"

#include "addon_sessions.h"
#include "net/socket_diag.h"
#include "pair/backup.h"
#include "pair/primary.h"

namespace understudy::host {
namespace {

Napi::Object get_object(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  if (!value.IsObject()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be an object");
  return value.As<Napi::Object>();
}

bool has(const Napi::Object& object, const char* name) { return !object.Get(name).IsUndefined(); }

MirrorConfig get_mirror(const Napi::Object& o) {
  MirrorConfig config;
  config.provider = get_string(o, "provider");
  config.address = get_string(o, "address");
  config.port = uint16_t(get_count(o, "port"));
  config.service = get_string(o, "service");
  config.epoch = get_count(o, "epoch");
  Napi::Value key = o.Get("key");
  if (!key.IsTypedArray()) throw Napi::TypeError::New(o.Env(), "key must be bytes");
  auto bytes = key.As<Napi::Uint8Array>();
  config.key.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
  config.encrypt = o.Get("encryption").ToBoolean();
  config.heartbeat_ms = uint32_t(get_count(o, "heartbeatMs"));
  config.deadline_ms = uint32_t(get_count(o, "deadlineMs"));
  if (has(o, "ringBytes")) config.ring_bytes = get_count(o, "ringBytes");
  if (has(o, "spinUs")) config.spin_us = uint32_t(get_count(o, "spinUs"));
  return config;
}

// [{ dir, snapshot? }]; absent: none.
std::vector<StorageRoot> get_storage(const Napi::Object& o) {
  std::vector<StorageRoot> out;
  if (!has(o, "storage")) return out;
  if (!o.Get("storage").IsArray()) throw Napi::TypeError::New(o.Env(), "storage must be an array");
  const auto array = o.Get("storage").As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    if (!array.Get(i).IsObject()) throw Napi::TypeError::New(o.Env(), "storage must be an array of objects");
    const auto root = array.Get(i).As<Napi::Object>();
    out.push_back({get_string(root, "dir"), has(root, "snapshot") ? get_string(root, "snapshot") : ""});
  }
  return out;
}

std::vector<uint16_t> get_ports(const Napi::Object& o, const char* name) {
  Napi::Value value = o.Get(name);
  if (!value.IsArray()) throw Napi::TypeError::New(o.Env(), std::string(name) + " must be an array of ports");
  auto array = value.As<Napi::Array>();
  std::vector<uint16_t> out;
  for (uint32_t i = 0; i < array.Length(); i++) out.push_back(uint16_t(array.Get(i).ToNumber().Uint32Value()));
  return out;
}

GateConfig get_gate(const Napi::Object& o) {
  GateConfig config;
  config.service = get_string(o, "service");
  config.vip = Address::parse(get_string(o, "vip"));
  config.prefix = uint8_t(get_count(o, "prefix"));
  config.interface = get_string(o, "interface");
  config.tcp_ports = get_ports(o, "tcpPorts");
  config.udp_ports = get_ports(o, "udpPorts");
  config.outward = o.Get("outward").ToBoolean();
  config.queue_in = uint16_t(get_count(o, "queueIn"));
  config.queue_out = uint16_t(get_count(o, "queueOut"));
  config.lease_ms = uint32_t(get_count(o, "leaseMs"));
  config.flows = o.Get("flows").ToBoolean();
  if (has(o, "forwardTo")) config.forward_to = Address::parse(get_string(o, "forwardTo"));
  return config;
}

// What a group that runs can be told: see native/pair.ts.
template <class S>
void add_running(Napi::Object& handle, const std::weak_ptr<S>& session) {
  Napi::Env env = handle.Env();
  handle.Set("attachBackup", Napi::Function::New(env, [session](const Napi::CallbackInfo& call) {
               if (call.Length() < 1 || !call[0].IsObject())
                 throw Napi::TypeError::New(call.Env(), "attachBackup needs a mirror");
               try {
                 const Napi::Object o = call[0].As<Napi::Object>();
                 AttachOptions options{get_mirror(o), std::nullopt, get_storage(o), 0};
                 if (call.Length() > 1 && call[1].IsString())
                   options.forward_to = Address::parse(call[1].As<Napi::String>().Utf8Value());
                 if (has(o, "checkpointEveryMs")) options.state_every_ms = get_count(o, "checkpointEveryMs");
                 alive(call.Env(), session)->attach_backup(options);
               } catch (const HostError& error) { throw_js(call.Env(), error); }
             }));
  handle.Set("protect", Napi::Function::New(
                            env, [session](const Napi::CallbackInfo& call) { alive(call.Env(), session)->protect(); }));
  handle.Set("goUnprotected", Napi::Function::New(env, [session](const Napi::CallbackInfo& call) {
               alive(call.Env(), session)->go_unprotected();
             }));
  handle.Set("fence", Napi::Function::New(env, [session](const Napi::CallbackInfo& call) {
               alive(call.Env(), session)->fence(call[0].ToString().Utf8Value(), call[1].ToBoolean());
             }));
}

// HostErrors that come up while values are read (an address that is none) are the caller's as any others.
template <class Read>
auto reading(Napi::Env env, Read read) {
  try {
    return read();
  } catch (const HostError& error) { throw_js(env, error); }
}

Napi::Value start_primary(const Napi::CallbackInfo& info) {
  Napi::Object o = options_of(info);
  PrimaryOptions options = reading(info.Env(), [&] {
    PrimaryOptions out;
    RecordOptions& record = out.record;
    record.argv = get_strings(o, "argv");
    if (record.argv.empty()) throw Napi::TypeError::New(info.Env(), "argv must not be empty");
    record.env = get_strings(o, "env");
    record.cwd = get_string(o, "cwd");
    record.journal_dir = get_string(o, "journalDir");
    record.cache_dir = get_string(o, "cacheDir");
    record.agent_path = get_string(o, "agentPath");
    record.ring_bytes = get_count(o, "ringBytes");
    record.segment_bytes = get_count(o, "segmentBytes");
    record.epoch = get_count(o, "epoch");
    record.kick_after_ms = uint32_t(get_count(o, "kickAfterMs"));
    record.continue_on_journal_error = false;
    record.isolation = get_isolation(o);
    out.output_path = get_string(o, "outputPath");
    out.durable = o.Get("durable").ToBoolean();
    out.shared_paths = get_strings(o, "sharedPaths");
    out.rpo_ms = get_count(o, "rpoMs");
    out.rpo_bytes = get_count(o, "rpoBytes");
    if (has(o, "mirror")) out.mirror = get_mirror(get_object(o, "mirror"));
    if (has(o, "network")) out.network = NetworkOptions{get_gate(get_object(o, "network"))};
    return out;
  });
  return start<PrimarySession>(
      info, options, Keep::UntilEnded,
      [](Napi::Object& handle, const std::weak_ptr<PrimarySession>& session) { add_running(handle, session); });
}

Napi::Value start_backup(const Napi::CallbackInfo& info) {
  Napi::Object o = options_of(info);
  BackupOptions options = reading(info.Env(), [&] {
    BackupOptions out;
    ReplicaOptions& replica = out.replica;
    replica.journal_dir = get_string(o, "journalDir");
    replica.agent_path = get_string(o, "agentPath");
    replica.stub_path = get_string(o, "stubPath");
    replica.scratch_dir = get_string(o, "scratchDir");
    replica.cache_dir = get_string(o, "cacheDir");
    replica.output_path = get_string(o, "outputPath");
    replica.shared_paths = get_strings(o, "sharedPaths");
    replica.ring_bytes = get_count(o, "ringBytes");
    replica.segment_bytes = get_count(o, "segmentBytes");
    replica.epoch = get_count(o, "epoch");
    replica.kick_after_ms = uint32_t(get_count(o, "kickAfterMs"));
    replica.isolation = get_isolation(o);
    out.mirror = get_mirror(get_object(o, "mirror"));
    out.durable = replica.durable = o.Get("durable").ToBoolean();
    out.lag_bytes_max = get_count(o, "lagBytesMax");
    out.passive = has(o, "passive") && o.Get("passive").ToBoolean();
    out.from_checkpoint = has(o, "fromCheckpoint") && o.Get("fromCheckpoint").ToBoolean();
    for (StorageRoot& root : get_storage(o)) out.storage.push_back(std::move(root.dir));
    if (has(o, "network")) out.network = get_gate(get_object(o, "network"));
    return out;
  });
  return start<BackupSession>(
      info, options, Keep::UntilEnded, [](Napi::Object& handle, const std::weak_ptr<BackupSession>& session) {
        Napi::Env env = handle.Env();
        handle.Set("port", Napi::Number::New(env, alive(env, session)->port()));
        handle.Set("stopAcknowledging", Napi::Function::New(env, [session](const Napi::CallbackInfo& call) {
                     alive(call.Env(), session)->stop_acknowledging(call[0].ToString().Utf8Value());
                   }));
        handle.Set("takeOver", Napi::Function::New(env, [session](const Napi::CallbackInfo& call) {
                     if (call.Length() < 1 || !call[0].IsNumber())
                       throw Napi::TypeError::New(call.Env(), "takeOver needs an epoch");
                     alive(call.Env(), session)->take_over(uint64_t(call[0].As<Napi::Number>().Int64Value()));
                   }));
        add_running(handle, session);
      });
}

// What a daemon that crashed may have left of a service on this host.
Napi::Value clean_service(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject()) throw Napi::TypeError::New(env, "expected what gate() takes");
  try {
    const GateConfig config = get_gate(info[0].As<Napi::Object>());
    // As long as the fence stands: their ends would be sent to the clients.
    end_stale_connections(config.service, config.vip);
    remove_silence(config.service);
    Gate::clean_leftovers(config.service);
    remove_standby_rules(config.service);
    Vip vip(config.vip, config.prefix, config.interface);
    const bool was_there = vip.present();
    vip.remove();
    return Napi::Boolean::New(env, was_there);
  } catch (const HostError& error) { throw_js(env, error); }
}

}  // namespace

void add_pair(Napi::Env env, Napi::Object& exports) {
  exports.Set("startPrimary", Napi::Function::New(env, start_primary));
  exports.Set("startBackup", Napi::Function::New(env, start_backup));
  exports.Set("cleanService", Napi::Function::New(env, clean_service));
}

}  // namespace understudy::host
