// How a session lives in Node: its events are delivered on the main thread, and it is kept until the last of them.
//
// Invariants:
//  - Sessions live in a registry until their `ended` event is delivered: a handle that JavaScript forgets must not end a recording.
//  - Callbacks run on the main thread only (ThreadSafeFunction).
//  - A handle keeps its session until it is collected, or, if so wished, until `ended`: nobody can say when JavaScript collects, and a
//    host's memory is not to wait for that.
#pragma once
#include <functional>
#include <set>

#include "addon_values.h"
#include "session.h"

namespace understudy::host {

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

inline EmitEvent make_emit(const std::shared_ptr<Delivery>& delivery) {
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

enum class Keep { UntilEnded, WithHandle };

// What a handle's functions are for. Throws the JavaScript error of one that is of no use any more.
template <class SessionType>
std::shared_ptr<SessionType> alive(Napi::Env env, const std::weak_ptr<SessionType>& session) {
  auto here = session.lock();
  if (here == nullptr) throw Napi::Error::New(env, "the session has ended");
  return here;
}

// `more`: what this kind of session can do besides.
template <class SessionType, class Options>
Napi::Value start(const Napi::CallbackInfo& info, const Options& options, Keep keep,
                  const std::function<void(Napi::Object& handle, std::weak_ptr<SessionType>)>& more = {}) {
  Napi::Env env = info.Env();
  auto* registry = env.GetInstanceData<Registry>();
  auto delivery = std::make_shared<Delivery>();
  delivery->registry = registry;
  delivery->function = Napi::ThreadSafeFunction::New(env, info[1].As<Napi::Function>(), "understudy", 0, 1);
  std::shared_ptr<SessionType> session;
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
  const std::weak_ptr<SessionType> weak = session;
  handle.Set("stats", Napi::Function::New(env, [weak](const Napi::CallbackInfo& call) -> Napi::Value {
               return to_js(call.Env(), alive(call.Env(), weak)->stats());
             }));
  handle.Set("kill", Napi::Function::New(env, [weak](const Napi::CallbackInfo& call) {
               if (call.Length() < 1 || !call[0].IsNumber())
                 throw Napi::TypeError::New(call.Env(), "kill needs a signal number");
               // One that has ended is killed.
               if (auto here = weak.lock()) here->kill(call[0].As<Napi::Number>().Int32Value());
             }));
  if (more) more(handle, weak);
  if (keep == Keep::WithHandle) {
    auto kept = std::make_unique<std::shared_ptr<SessionType>>(std::move(session));
    handle.AddFinalizer(
        [](Napi::Env, std::shared_ptr<SessionType>* last) {
          const std::unique_ptr<std::shared_ptr<SessionType>> owned(last);
        },
        kept.get());
    static_cast<void>(kept.release());  // the finalizer's now
  }
  return handle;
}

}  // namespace understudy::host
