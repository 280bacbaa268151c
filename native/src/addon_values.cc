// See addon_values.h.
#include "addon_values.h"

#include <algorithm>

namespace understudy::host {

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

void throw_js(Napi::Env env, const HostError& error) {
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

Napi::Object options_of(const Napi::CallbackInfo& info) {
  if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsFunction())
    throw Napi::TypeError::New(info.Env(), "expected (options, onEvent)");
  return info[0].As<Napi::Object>();
}

}  // namespace understudy::host
