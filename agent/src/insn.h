// Instructions whose result is not determined by the program: rdtsc, rdtscp, rdrand, rdseed, rdpid. Their sites are
// rewritten like syscall sites; what cannot be rewritten traps where the processor offers it (rdtsc with PR_SET_TSC).
#pragma once
#include "ring.h"

namespace understudy {

bool is_answered_instruction(u64 rip);
void answer_trapped_instruction(Thread* t);

}  // namespace understudy
