// The vDSO that the guest sees. Each function jumps through the thread block (gs) into the agent, in both modes, so the
// image holds no code that reads a clock and is the same in record and replay. Offsets are those of struct Thread.
.macro FN name, offset
.globl __vdso_\name
.type __vdso_\name, @function
.balign 16
__vdso_\name:
  jmp *%gs:\offset
.size __vdso_\name, . - __vdso_\name
.weak \name
.set \name, __vdso_\name
.endm
.text
FN clock_gettime, 56
FN gettimeofday, 64
FN time, 72
FN getcpu, 80
FN clock_getres, 88
FN getrandom, 96
.section .note.GNU-stack, "", @progbits
