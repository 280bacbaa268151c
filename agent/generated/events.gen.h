// Generated from journal/schema by `npm run generate`. Do not edit.
//
// Event kinds that are not syscalls, and how many elements each has at least (its kind included).
#pragma once
#include <stdint.h>

namespace understudy {

inline constexpr uint32_t kFormatVersion = 1;

enum EventKind : int32_t {
  kEvSwitch = -1,  // Another thread has the baton from here on.
  kEvClock = -2,  // A clock was read without a syscall.
  kEvSignal = -3,  // A signal is delivered here.
  kEvPreempt = -4,  // The position inside guest code at which the next event happens.
  kEvInsn = -5,  // The result of an instruction that reads something from outside the program.
  kEvChunk = -6,  // Part of an output that was too long for its event; chunks follow it directly, in order.
  kEvStart = -7,  // A process begins with a fresh image: at the start of the journal, and after each exec.
  kEvFile = -8,  // Declares a blob of this journal.
  kEvPatch = -9,  // Text of a blob was rewritten to reach the agent; replay rewrites it alike.
  kEvKilled = -10,  // A process of the group was killed from outside.
  kEvEnd = -11,  // The root process ended. The last event of a complete journal.
  kEvNote = -12,  // Something to tell the user, such as a call that could not be recorded exactly. Replay ignores it.
  kEvStore = -13,  // The group wrote to a file that a member has mapped shared; replay applies it to its scratch copy.
  kEvExit = -14,  // A thread of the group ended.
  kEvSpawn = -15,  // A thread or process of the group begins.
  kEvEndpoint = -16,  // Primaries only: the address that the next accept (the peer) or connect (the own one) of this thread has to do with. A hot replica needs it; the guest may not have asked.
  kEvPart = -17,  // Primaries only: a write to a pipe or unix socket has handed over a part of its data and waits for room; its own event follows when it is over, unless its thread ends before.
};
inline constexpr int kEventKinds = 17;

inline constexpr uint8_t kEventElements[kEventKinds] = {
    2,  // SWITCH: gtid
    3,  // CLOCK: clockId, deltaNs
    5,  // SIGNAL: place, signo, siginfo, disposition
    6,  // PREEMPT: regs, words, blocks, changedRegs, changedWords
    4,  // INSN: siteKind, value, aux
    2,  // CHUNK: data
    9,  // START: maps, stack, sp, stackLow, entry, brk, mask, ignored
    7,  // FILE: index, sha256, size, path, dev, ino
    7,  // PATCH: blob, addr, len, offset, trampolineAddr, trampolineLen
    3,  // KILLED: process, signo
    2,  // END: status
    3,  // NOTE: level, text
    5,  // STORE: dev, ino, offset, data
    4,  // EXIT: gtid, wholeProcess, status
    4,  // SPAWN: gtid, process, tid
    2,  // ENDPOINT: address
    3,  // PART: nr, done
};
constexpr unsigned event_elements(EventKind kind) { return kEventElements[-1 - kind]; }
static_assert(event_elements(kEvPart) == 3);

}  // namespace understudy
