// Birth and death of the group's threads and processes: clone.cc, exit.cc; exec.cc for a process that becomes another program. Where their
// blocks of memory lie: thread_blocks.h.
#pragma once
#include "ring.h"

namespace understudy {

// Says in the shared slots who the calling thread is. Whether it lives is not its own to say: its maker has said so, and in a replay the
// journal may have had it killed before it comes up.
void adopt_slot(Thread* t, u32 gtid, u32 process_slot);
void begin_life(Thread* t);  // nobody made it: the group's first thread, or what an execve makes of one
[[noreturn]] void end_thread(Thread* t, i32 status);  // after its EXIT event: passes the order on and leaves
[[noreturn]] void end_process(Thread* t, i32 status, i32 signal);
// Its threads are counted no more.
void count_out(u32 process);
void process_killed(Thread* t, u32 process_slot);  // replay: a KILLED event
extern "C" [[noreturn]] void agent_on_new_thread(Thread* child);
void offer_tracking(Thread* t);                 // record: in a new address space, with the baton
[[noreturn]] void begin_thread(Thread* child);  // its first instructions, when it is its turn
void pass_turn(Thread* t);                      // replay: the thread that made the last event goes on no more
void retire_other_threads(Thread* t);           // execve: the other threads of the process are gone

}  // namespace understudy
