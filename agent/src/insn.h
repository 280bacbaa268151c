// Instructions whose result is not determined by the program: rdtsc, rdtscp, rdrand, rdseed, rdpid, and
// cpuid, which names the core and the machine. Their sites are rewritten like syscall sites, or as traps (abi::TrapSite).
#pragma once
#include "ring.h"

namespace understudy {

bool is_answered_instruction(u64 rip);
void answer_trapped_instruction(Thread* t);

}  // namespace understudy
