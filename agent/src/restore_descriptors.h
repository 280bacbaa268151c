// A hot replica from a checkpoint: the open files of the group are made again, and each process's descriptors.
//
// Invariants:
//  - The first process makes all files, before it forks: the others inherit them, so that what was shared is the same file again.
//  - What cannot be made ends the restore and is named; the host has said in the plan what each step is for.
//  - After place_descriptors a process has the descriptors of the checkpoint, the agent's own, and no others.
//
// Must not: be used in a plain replay, which has no descriptors. Or decide anything: the plan is a list of calls (native/src/checkpoint/descriptor_plan.cc).
#pragma once
#include "thread.h"

namespace understudy {

void make_files(const abi::RestorePlan& plan);
void place_descriptors(const abi::RestoreProcess& p);
// What the agent remembers of descriptors, in the restored structure.
void note_descriptors(Process& process, const abi::RestoreProcess& p);

}  // namespace understudy
