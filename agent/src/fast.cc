// Which calls may go the short way, decided from the syscall table. See fast.h.
#include "fast.h"

#include "calls.h"

namespace understudy {

FastPath g_fast[kFastCalls];

void init_fast_paths() {
  for (u32 nr = 0; nr < kFastCalls; ++nr) {
    FastPath& f = g_fast[nr];
    f = {kFastNone, 0, kNoArg, 1};
    const SyscallDesc& d = describe(nr);
    Call call{};
    call.nr = nr;
    for (auto& a : call.args) a = ~0ull;  // no descriptor that a special handler would take an interest in
    if (nr == kSysFtruncate || nr == kSysFallocate) continue;  // may change a file that is mapped shared (store.cc)
    if (!d.name || (d.flags & kOpaque) || d.command_count || d.other_count || d.cls == kClassSpecial ||
        d.cls == kClassReexecute || special_handler(call))
      continue;
    if (d.out_count == 0 && !d.carries_data()) {
      f.kind = kFastPlain;
    } else if (d.out_count == 1 && !d.carries_data()) {
      const OutputDesc& o = kOutputs[d.out_first];
      if (o.rule != kRuleReturned || o.extra || o.n > 255 || o.n == 0) continue;
      f = {kFastOutput, o.at, o.k, (u8)o.n};
    } else if (d.out_count == 0 && d.data_kind == kDataBuffer) {
      f = {kFastData, d.data_at, kNoArg, 1};
    }
  }
}

}  // namespace understudy
