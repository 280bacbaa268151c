// What a signal frame on the guest's stack looks like, and the ways between it and the registers that the agent keeps: the kernel's
// struct rt_sigframe on x86-64 (arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h).
//
// Invariants:
//  - Frames are what the kernel would write, byte for byte where programs look: unwinders and sigreturn read them.
//
// Must not: say where a frame lies, or assume that its memory is there; that is the callers' to see to (agent_copy_safe).
#pragma once
#include "thread.h"

namespace understudy {

struct StackT {
  u64 sp;
  i32 flags;
  i32 pad;
  u64 size;
};
enum { kSsOnstack = 1, kSsDisable = 2, kSsAutodisarm = (i32)0x80000000 };

struct Ucontext {  // struct ucontext of the kernel, x86-64
  u64 flags;
  u64 link;
  StackT stack;
  u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  u16 cs, gs, fs, ss;
  u64 err, trapno, oldmask, cr2;
  u64 fpstate;
  u64 reserved[8];
  u64 sigmask;
};
static_assert(sizeof(Ucontext) == 40 + 18 * 8 + 8 + 32 + 8 + 64 + 8);

struct Frame {  // struct rt_sigframe
  u64 return_address;
  Ucontext uc;
  SigInfo info;
};

inline constexpr u32 kFpMagic1 = 0x46505853, kFpMagic2 = 0x46505845;

inline u64 xsave_features() {
  u32 lo, hi;
  asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return (u64)hi << 32 | lo;
}

inline void regs_to_context(const GuestRegs& r, Ucontext& u) {
  u.r8 = r.r8, u.r9 = r.r9, u.r10 = r.r10, u.r11 = r.r11, u.r12 = r.r12, u.r13 = r.r13, u.r14 = r.r14, u.r15 = r.r15;
  u.rdi = r.rdi, u.rsi = r.rsi, u.rbp = r.rbp, u.rbx = r.rbx, u.rdx = r.rdx, u.rax = r.rax, u.rcx = r.rcx;
  u.rsp = r.rsp, u.rip = r.rip, u.eflags = r.eflags;
}
inline void context_to_regs(const Ucontext& u, GuestRegs& r) {
  r.r8 = u.r8, r.r9 = u.r9, r.r10 = u.r10, r.r11 = u.r11, r.r12 = u.r12, r.r13 = u.r13, r.r14 = u.r14, r.r15 = u.r15;
  r.rdi = u.rdi, r.rsi = u.rsi, r.rbp = u.rbp, r.rbx = u.rbx, r.rdx = u.rdx, r.rax = u.rax, r.rcx = u.rcx;
  r.rsp = u.rsp, r.rip = u.rip, r.eflags = u.eflags;
}

// The arithmetic flags travel as lahf/seto image (entry.S): ah = SF ZF AF PF CF, al = OF.
inline void flags_to_image(Thread* t, u64 eflags) { t->flags16 = (eflags & 0xd5) << 8 | 0x200 | (eflags >> 11 & 1); }
inline u64 image_to_flags(const Thread* t) { return (t->flags16 >> 8 & 0xd5) | (t->flags16 & 1) << 11 | 0x202; }

}  // namespace understudy
