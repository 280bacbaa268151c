// What the groups of calls share: sizes of structs that several of them write, and the two ways of waiting.
//
// Invariants:
//  - Sizes are the kernel's structs on x86-64, in bytes, not glibc's (termios, sigaction, rlimit differ).
//
// Must not: hold what only one group needs.
import type { CallOptions } from '../dsl.js';

export const timespec = 16;
export const timeval = 16;
export const siginfo = 128;
export const sigset = 8;

export const waits: CallOptions = { blocks: true };
/** As `waits`, but a signal handler ends the wait whatever SA_RESTART says. */
export const never: CallOptions = { blocks: true, restart: 'never' };
