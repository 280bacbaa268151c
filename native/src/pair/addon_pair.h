// The part of the Node-API surface that is about pairs: startPrimary, startBackup, cleanService. native/pair.ts describes it.
#pragma once
#include <napi.h>

namespace understudy::host {

void add_pair(Napi::Env env, Napi::Object& exports);

}  // namespace understudy::host
