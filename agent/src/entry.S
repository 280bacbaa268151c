// Every way into and out of the agent. What these paths promise: they touch no byte of the guest's stack, no SIMD or
// x87 register, and they hand the guest the same register contents in record and replay.
//
// Offsets from gs are those of struct Thread (thread.h asserts them).

#define SELF 0
#define SAVED_RCX 8
#define STACK_TOP 24
#define SUD_RIP 32
#define FLAGS16 40
#define PENDING 48
#define VDSO_RSP 248
#define R15 104
#define R14 112
#define R13 120
#define R12 128
#define RBP 136
#define RBX 144
#define R11 152
#define R10 160
#define R9 168
#define R8 176
#define RAX 184
#define RCX 192
#define RDX 200
#define RSI 208
#define RDI 216
#define RIP 224
#define RSP 232

.macro SAVE_ALL_BUT_RAX_RCX_RIP
  mov %r15, %gs:R15
  mov %r14, %gs:R14
  mov %r13, %gs:R13
  mov %r12, %gs:R12
  mov %rbp, %gs:RBP
  mov %rbx, %gs:RBX
  mov %r11, %gs:R11
  mov %r10, %gs:R10
  mov %r9, %gs:R9
  mov %r8, %gs:R8
  mov %rdx, %gs:RDX
  mov %rsi, %gs:RSI
  mov %rdi, %gs:RDI
  mov %rsp, %gs:RSP
.endm

.macro SAVE_FLAGS            // arithmetic flags only; popf would cost more than all the rest
  lahf
  seto %al
  mov %ax, %gs:FLAGS16
.endm

.section .text.agent_entry, "ax", @progbits

// ---- from a syscall trampoline: rcx = where the guest goes on, everything else as the guest left it --------------
.balign 64
.globl agent_syscall_entry
.type agent_syscall_entry, @function
agent_syscall_entry:
  mov %rcx, %gs:RIP
  mov %rax, %gs:RAX
  SAVE_FLAGS
  SAVE_ALL_BUT_RAX_RCX_RIP
  mov %gs:SELF, %rdi
  mov %gs:STACK_TOP, %rsp
  jmp agent_on_syscall

// ---- from the SIGSYS handler, in normal context: as above, but the site was trapped, not rewritten ----------------
.balign 16
.globl agent_sud_entry
agent_sud_entry:
  mov %gs:SUD_RIP, %rcx
  jmp agent_syscall_entry

// ---- from an instruction trampoline (rdtsc ...): no register may change but the instruction's results --------------
.balign 64
.globl agent_insn_entry
.type agent_insn_entry, @function
agent_insn_entry:
  mov %rcx, %gs:RIP
  mov %rax, %gs:RAX
  mov %gs:SAVED_RCX, %rcx
  mov %rcx, %gs:RCX
  SAVE_FLAGS
  SAVE_ALL_BUT_RAX_RCX_RIP
  mov %gs:SELF, %rdi
  mov %gs:STACK_TOP, %rsp
  jmp agent_on_insn

// ---- from the signal handler, in normal context: guest registers are already in the Thread ------------------------
.balign 16
.globl agent_async_entry
agent_async_entry:
  cld
  mov %gs:SELF, %rdi
  mov %gs:STACK_TOP, %rsp
  jmp agent_on_async

// ---- back to the guest: rdi = Thread --------------------------------------------------------------------------------
.balign 64
.globl agent_return
.type agent_return, @function
agent_return:
  mov %gs:R15, %r15
  mov %gs:R14, %r14
  mov %gs:R13, %r13
  mov %gs:R12, %r12
  mov %gs:RBP, %rbp
  mov %gs:RBX, %rbx
  mov %gs:R10, %r10
  mov %gs:R9, %r9
  mov %gs:R8, %r8
  mov %gs:RDX, %rdx
  mov %gs:RSI, %rsi
  mov %gs:RDI, %rdi
  movzwl %gs:FLAGS16, %eax
  add $127, %al              // sets OF from the saved bit
  sahf
  mov %gs:R11, %r11
  mov %gs:RCX, %rcx
  mov %gs:RAX, %rax
  mov %gs:RSP, %rsp
  jmp *%gs:RIP

// ---- the fake vDSO: called like the kernel's, runs on the agent's stack ----------------------------------------------
// A clock read usually costs no more than this call. When something is due (a signal, the baton) the C side returns a
// nonzero value and the read is made as a real system call, which is an agent event and may do all that.
.macro VDSO_CALL name, cfn, nr
.balign 32
.globl \name
.type \name, @function
\name:
  mov %rsp, %gs:VDSO_RSP
  mov %rdi, %gs:RDI
  mov %rsi, %gs:RSI
  mov %rdx, %gs:RDX
  mov %gs:STACK_TOP, %rsp
  add $8, %rsp
  call \cfn
  mov %gs:VDSO_RSP, %rsp
  mov %gs:RDI, %rdi
  mov %gs:RSI, %rsi
  test %eax, %eax
  jnz 1f
  xor %ecx, %ecx
  xor %edx, %edx
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  ret
1:
  mov %gs:RDX, %rdx
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  mov $\nr, %eax
  lea 6(%rip), %rcx            // the shape of a trampoline head: re-issue address = rcx - 13
  jmp *agent_syscall_entry_pointer(%rip)
  ret
.endm
VDSO_CALL agent_vdso_clock_gettime, vdso_clock_gettime_c, 228
VDSO_CALL agent_vdso_gettimeofday, vdso_gettimeofday_c, 96

// time() returns its value in rax, so it cannot use the macro's 0 / nonzero convention.
.balign 32
.globl agent_vdso_time
agent_vdso_time:
  mov $201, %eax
  lea 6(%rip), %rcx
  jmp *agent_syscall_entry_pointer(%rip)
  ret
.balign 32
.globl agent_vdso_getcpu
agent_vdso_getcpu:
  mov $309, %eax
  lea 6(%rip), %rcx
  jmp *agent_syscall_entry_pointer(%rip)
  ret
.balign 32
.globl agent_vdso_getres
agent_vdso_getres:
  mov $229, %eax
  lea 6(%rip), %rcx
  jmp *agent_syscall_entry_pointer(%rip)
  ret
.balign 32
.globl agent_vdso_getrandom     // (buf, len, flags, opaque, opaque_len): ~0 asks for parameters we do not offer
agent_vdso_getrandom:
  cmp $-1, %r8
  je 2f
  mov $318, %eax
  lea 6(%rip), %rcx
  jmp *agent_syscall_entry_pointer(%rip)
  ret
2:
  mov $-38, %rax
  ret
.balign 8
agent_syscall_entry_pointer: .quad agent_syscall_entry

// ---- a system call that a signal must be able to prevent -----------------------------------------------------------
// The classic race: a signal arrives after the check for pending ones and before the kernel blocks. The signal handler
// moves a rip inside [begin, end) to the abort label. i64 agent_interruptible(nr, args*)
.balign 32
.globl agent_interruptible
agent_interruptible:
  mov %rdi, %rax
  mov %rsi, %r11
  mov (%r11), %rdi
  mov 8(%r11), %rsi
  mov 16(%r11), %rdx
  mov 24(%r11), %r10
  mov 32(%r11), %r8
  mov 40(%r11), %r9
.globl agent_window2_begin
agent_window2_begin:
  cmpl $0, %gs:PENDING
  jne agent_window2_abort
  syscall
.globl agent_window2_end
agent_window2_end:
  ret
.globl agent_window2_abort
agent_window2_abort:
  mov $-516, %rax              // kNotMade: the call was not made
  ret

// ---- clone with a new agent stack: i64 agent_clone(nr, args*, child Thread*, child stack top) ------------------------
// Parent gets the result. The child comes up on its own agent stack and never returns.
.balign 32
.globl agent_clone
agent_clone:
  push %rbx
  push %r12
  mov %rdi, %rax
  mov %rsi, %r11
  mov %rdx, %r12
  mov %rcx, %rbx
  mov (%r11), %rdi
  mov 8(%r11), %rsi
  mov 16(%r11), %rdx
  mov 24(%r11), %r10
  mov 32(%r11), %r8
  syscall
  test %rax, %rax
  jz 1f
  pop %r12
  pop %rbx
  ret
1:
  mov %rbx, %rsp
  mov %r12, %rdi
  jmp agent_on_new_thread

// ---- memory of the guest that may not be there -----------------------------------------------------------------------
// i64 agent_copy_safe(to, from, n): 0, or -EFAULT when either side faults (the fault handler moves rip to the fixup).
.balign 32
.globl agent_copy_safe
agent_copy_safe:
  mov %rdx, %rcx
  xor %eax, %eax
.globl agent_copy_safe_insn
agent_copy_safe_insn:
  rep movsb
  ret
.globl agent_copy_safe_fixup
agent_copy_safe_fixup:
  mov $-14, %rax
  ret

// ---- leaving a thread or process for good ------------------------------------------------------------------------------
.balign 16
.globl agent_restorer
agent_restorer:
  mov $15, %eax
  syscall
  ud2

// Where a replay stops for a debugger: the guest's own registers and stack, rcx = where it would go on.
.globl agent_parked
.type agent_parked, @function
agent_parked:
  .cfi_startproc simple
  .cfi_def_cfa %rsp, 0
  .cfi_register %rip, %rcx
  .cfi_same_value %rbx
  .cfi_same_value %rbp
  .cfi_same_value %r12
  .cfi_same_value %r13
  .cfi_same_value %r14
  .cfi_same_value %r15
1:
  pause
  jmp 1b
  .cfi_endproc

// ---- first instruction of a fresh image ---------------------------------------------------------------------------------
// record: rdi = guest's rsp, rsi = 1 on the group's first exec, rdx = tid. replay: rdi = 0.
.balign 16
.globl agent_start
.type agent_start, @function
agent_start:
  cld
  lea agent_boot_stack_end(%rip), %rsp
  xor %ebp, %ebp
  call agent_start_c
  ud2

.section .bss.agent_boot_stack, "aw", @nobits
.balign 16
agent_boot_stack:
  .zero 65536
agent_boot_stack_end:

.section .text.agent_vdso, "ax", @progbits
.balign 4096
.globl agent_vdso_begin
agent_vdso_begin:
.incbin UNDERSTUDY_VDSO_PATH
.balign 4096
.section .rodata
.globl agent_abi_version
agent_abi_version: .long 15
