// What the agent knows of one guest thread and of the process that it belongs to.
//
// The gs base of every guest thread points at its Thread; entry.S and the host's trampolines use fixed offsets into
// it (static_asserts below). Blocks lie at abi::kThreadsAddr + index * kThreadBlock: the structure, then the agent's
// stack, then the alternate stack on which the kernel runs the agent's signal handler.
#pragma once
#include "base.h"
#include "marshal.h"

namespace understudy {

inline constexpr u64 kThreadBlock = abi::kThreadBlock;
inline constexpr u64 kThreadMax = 1000;
inline constexpr u64 kBounceSize = 64 << 10;

// Order of abi::Divergence::regs.
struct GuestRegs {
  u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, rip, rsp, eflags;
};

struct SigAction {  // the kernel's layout
  u64 handler, flags, restorer, mask;
};

inline constexpr int kSignals = 64;
inline constexpr u32 kFdFlags = 1024;
inline constexpr u32 kCookies = 64;

// What the guest has armed, as timers.cc remembers it in a hot replica.
using Timers = abi::RestoreTimers;

struct Process {
  u32 slot;                         // index into Control::processes
  bool own;                         // this structure is the process's own (not shared with a vfork parent)
  SigAction actions[kSignals + 1];  // what the guest believes is installed
  u64 brk_start, brk_now;           // replay
  u64 stack_low, stack_top;         // replay: the main stack's mapping
  u64 stack_start;                  // replay: the stack pointer that the image began with
  u8 fd_flags[kFdFlags];            // FdFlag bits by descriptor
  u8 fd_kind[kFdFlags];             // FdKind by descriptor (descriptor.h); pairs only
  struct {
    u32 fd_plus_one, pad;
    u64 cookie;
  } cookies[kCookies];    // SO_COOKIE of sockets, by descriptor modulo kCookies; pairs only
  Timers timers;          // hot replica only
  bool live;              // a replica's: has gone live
  bool subreaper;         // PR_SET_CHILD_SUBREAPER
  bool own_break;         // the program break is the agent's (a replica that has gone live)
  u32 shared_generation;  // record: Control::shared_file_count when the kFdUnshared bits were right
  struct {
    u64 addr, size;
  } shm[32];  // SysV attachments, to know the size at shmdt
};
enum FdFlag : u8 {
  kFdEmit1 = 1,
  kFdEmit2 = 2,     // replay: refers to the guest's original stdout / stderr
  kFdUnshared = 4,  // record: known to be no file that the group maps shared (store.cc)
};

struct SigInfo {  // 128 bytes as the kernel gives them
  i32 signo, err, code, pad;
  u64 rest[14];
};
static_assert(sizeof(SigInfo) == 128);

struct Thread {
  Thread* self;     // gs:0
  u64 saved_rcx;    // gs:8   instruction trampolines
  u64 insn;         // gs:16  instruction trampolines: kind | reg << 8 | operand size << 16
  u64 stack_top;    // gs:24  agent stack; 16-byte aligned minus 8, as after a call
  u64 sud_rip;      // gs:32  where a trapped syscall continues
  u64 flags16;      // gs:40  lahf/seto image of the guest's arithmetic flags
  u32 pending_sig;  // gs:48  a signal waits to be delivered at the next agent event
  u32 via_sud;      // gs:52  this call came through the trap: re-issue address is rip - 2
  u64 vdso_clock;   // gs:56  targets of the fake vDSO
  u64 vdso_gettimeofday, vdso_time, vdso_getcpu, vdso_getres, vdso_getrandom;  // gs:64 .. gs:96
  GuestRegs regs;                                                              // gs:104
  u64 vdso_rsp;          // gs:248 the guest's stack pointer during a vDSO call
  u64 probe_scratch[2];  // gs:256, gs:264 for probe stubs

  u32 gtid;
  u32 index;  // of the block
  abi::ThreadSlot* slot;
  Process* process;
  i32 kernel_tid;  // zeroed by the kernel when the thread is gone (set_tid_address): the block is free again then
  u32 slice;       // events since the baton was last handed over
  SigInfo pending;
  u64 guest_mask;    // signals that the guest blocks
  u64 suspend_mask;  // mask in force during sigsuspend, ppoll … ; valid if suspended
  u32 suspended;
  u32 async_reason;  // AsyncReason: why agent_async_entry was taken
  u64 fault_err, fault_trapno, fault_cr2;
  u64 retry_rip;
  u32 retry_step, pad4;
  u64 alt_sp, alt_size;
  u32 alt_flags;
  u64 clear_tid;  // guest's CLONE_CHILD_CLEARTID / set_tid_address
  u64 robust_list, robust_len;
  u32 vforked;                // shares the memory of the process that made it, until execve or exit
  u32 in_use;                 // the block is taken
  Thread* spawner;            // record, child of a vfork: who made it and sleeps in the kernel until it execs or ends
  u32 spawn_told, spawn_pad;  // record: the child has appended SPAWN and taken the baton
  i64 child_tid;              // value for CLONE_CHILD_SETTID
  u64 child_tid_addr;
  Call call;
  CallScratch scratch;
  u64 break_addr;  // replay: armed breakpoint
  u8 break_byte, break_on, stepping, probing;
  u64 stub_addr, stub_trap, stub_continue;  // replay: probe stub; stub_addr 0: the breakpoint is an int3
  u32 patch_len, probe_steps;
  u32 stub_refused, stub_pad;  // 1: try again at the first visit
  u8 patch_saved[16];
  u64 probe_rip;
  u64 output_needed;  // record in a pair: what the output that is being made waited for; 0: not an output
  u32 draining;       // a replica between the journal's end and going live (live.h)
  u32 drain_kicks;    // interruptions meanwhile
  u32 keep_scratch;  // replay, restored: `scratch` is what the call's inputs were; the kernel may have overwritten them since
  i64 began_ns;      // record, kFlagCheckpoints: when the call began that may wait for a limited time; 0: another call
  i64 wait_left[2];  // struct timespec, for the call that is made again
  u64 part_done;     // pairs: bytes that the write that this thread is in has handed over, by the journal (parts.h)
  u64 restoring;     // replay: this thread is one of a checkpoint's that is being made again: its RestoreThread
  SigInfo held[6];   // record: signals of kReservedMask that somebody sent while the guest blocks them; signo 0: none
  Process own_process;
};

static_assert(offsetof(Thread, saved_rcx) == abi::kGsSavedRcx && offsetof(Thread, insn) == abi::kGsInsn);
static_assert(offsetof(Thread, stack_top) == 24 && offsetof(Thread, sud_rip) == 32 && offsetof(Thread, flags16) == 40);
static_assert(offsetof(Thread, pending_sig) == 48 && offsetof(Thread, via_sud) == 52 &&
              offsetof(Thread, vdso_clock) == 56);
static_assert(offsetof(Thread, regs) + offsetof(GuestRegs, rax) == abi::kGsRax);
static_assert(offsetof(Thread, regs) == 104 && offsetof(Thread, vdso_rsp) == 248 &&
              offsetof(Thread, probe_scratch) == abi::kGsProbe0);
static_assert(sizeof(Thread) <= abi::kThreadBytes);

inline Thread* current() {
  Thread* t;
  asm volatile("mov %%gs:0, %0" : "=r"(t));
  return t;
}

// Leaves the agent: restores every guest register from t->regs. Defined in entry.S.
extern "C" [[noreturn]] void agent_return(Thread* t);

// Thread blocks. Only the baton holder allocates.
Thread* allocate_thread();
// replay from a checkpoint: the block at this address, mapped.
Thread* restore_block(u64 addr);

}  // namespace understudy
