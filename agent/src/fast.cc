// Which calls may go the short way, decided from the syscall table. See fast.h.
#include "fast.h"

namespace understudy {

FastPath g_fast[kFastCalls];

namespace {

enum : u32 { kSysWritev = 20, kSysPwritev = 296, kSysPwritev2 = 328 };

bool is_left_out(u32 nr, const SyscallDesc& d) {
  switch (nr) {
    case kSysFtruncate:
    case kSysFallocate:  // may change a file that is mapped shared (store.cc)
    case kSysDup2:
    case kSysDup3:  // may mean the agent's descriptor, and give another descriptor a new meaning
      return true;
  }
  Call call{};
  call.nr = nr;
  for (auto& a : call.args) a = ~0ull;  // no descriptor that a special handler would take an interest in
  return !d.name || (d.flags & kOpaque) || d.command_count || d.other_count || d.cls == kClassSpecial ||
         d.cls == kClassReexecute || special_handler(call);
}

FastWaits waits_of(u32 nr) {
  Call zeros{}, ones{};
  zeros.nr = ones.nr = nr;
  for (auto& a : ones.args) a = ~0ull;
  bool some = may_block(zeros), others = may_block(ones);
  return some && others ? kWaitsAlways : some || others ? kWaitsByArguments : kWaitsNever;
}

bool set_outputs(FastPath& f, const SyscallDesc& d) {
  const OutputDesc* o = &kOutputs[d.out_first];
  u32 left = d.out_count;
  f.kind = kFastPlain;
  if (left && o->when == kWhenOk && o->rule == kRuleReturned && !o->extra && o->n && o->n < 256) {
    f.kind = kFastOutput;
    f.buffer_arg = o->at;
    f.cap_arg = o->k == kNoArg ? kNoArg : o->k & ~kNarrow;
    if (o->k != kNoArg && (o->k & kNarrow)) f.flags |= kFastNarrow;
    f.scale = (u8)o->n;
    ++o, --left;
  } else if (left && o->when == kWhenOk && o->rule == kRuleFixed && o->n && o->n < 256) {
    f.kind = kFastFixed;
    f.buffer_arg = o->at;
    f.scale = (u8)o->n;
    ++o, --left;
  }
  if (left && o->when == kWhenOk && o->rule == kRuleSocklen) {
    f.null_arg = o->at;
    ++o, --left;
  }
  return left == 0;
}

}  // namespace

void init_fast_paths() {
  for (u32 nr = 0; nr < kFastCalls - 1; ++nr) {  // the last stands for the numbers behind it
    FastPath& f = g_fast[nr];
    f = FastPath{};
    f.cap_arg = f.null_arg = kNoArg;
    const SyscallDesc& d = describe(nr);
    if (is_left_out(nr, d)) continue;
    if (!d.carries_data()) {
      if (!set_outputs(f, d)) {
        f.kind = kFastNone;
        continue;
      }
    } else {
      if (d.out_count) continue;
      f.buffer_arg = d.data_at;
      f.count_arg = d.data_k;
      switch (d.data_kind) {
        case kDataBuffer: f.kind = kFastData; break;
        case kDataIovec: f.kind = kFastDataIovec; break;
        case kDataMsghdr: f.kind = kFastDataMsghdr; break;
        default: continue;
      }
    }
    f.nargs = d.nargs;
    f.waits = waits_of(nr);
    if (nr == kSysClose) f.flags |= kFastForgets;
    if (nr == kSysWrite || nr == kSysWritev || nr == kSysPwrite || nr == kSysPwritev || nr == kSysPwritev2)
      f.flags |= kFastStores;
    Call call{};
    call.nr = nr;
    unsigned arg;
    u64 capacity;
    if (f.kind == kFastOutput && f.cap_arg != kNoArg && simple_out_buffer(call, arg, capacity) && arg == f.buffer_arg)
      f.flags |= kFastBounces;
  }
}

}  // namespace understudy
