// The part of the Node-API surface that is about checkpoints on the disk. native/checkpoint.ts describes it.
#pragma once
#include <napi.h>

namespace understudy::host {

void add_checkpoints(Napi::Env env, Napi::Object& exports);

}  // namespace understudy::host
