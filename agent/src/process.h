// Birth and death of the group's threads and processes.
#pragma once
#include "ring.h"

namespace understudy {

void adopt_slot(Thread* t, u32 gtid, u32 process_slot);  // fills the shared slots for the calling thread
[[noreturn]] void end_thread(Thread* t, i32 status);     // after its EXIT event: passes the order on and leaves
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
