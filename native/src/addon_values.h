// Between JavaScript's values and plain ones: what comes in is checked, what goes out is built.
#pragma once
#include <napi.h>

#include <optional>

#include "common.h"
#include "namespaces.h"
#include "plain.h"

namespace understudy::host {

Napi::Value to_js(Napi::Env env, const Plain& plain);
Napi::Object to_js(Napi::Env env, const Plain::Object& fields);
[[noreturn]] void throw_js(Napi::Env env, const HostError& error);

// Each throws a TypeError or RangeError that names the field.
std::string get_string(const Napi::Object& object, const char* name);
double get_number(const Napi::Object& object, const char* name);
uint64_t get_count(const Napi::Object& object, const char* name);
std::vector<std::string> get_strings(const Napi::Object& object, const char* name);
std::optional<Namespaces> get_isolation(const Napi::Object& object);
// The first of (options, onEvent).
Napi::Object options_of(const Napi::CallbackInfo& info);

}  // namespace understudy::host
