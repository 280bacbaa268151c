// The x86-64 syscall table: every call that Linux has up to 6.18, what it writes to memory, whether it can block, and how
// replay treats it. The single source: the agent's C++ table, the TypeScript one and the documentation are generated from it.
// The calls themselves are described in calls/, in groups of what belongs together.
//
// Invariants:
//  - In order of number, each number once, names as in the kernel's table (checked when it is generated).
//  - Sizes are the kernel's structs, not glibc's (termios, sigaction, rlimit differ).
//  - A call that is not described exactly says so (`opaque`): it is recorded as far as it is known and reported to the user.
//
// Must not: describe results of calls that no kernel since 4.18 has; they are here by name only, and give ENOSYS.
import { files } from './calls/files.js';
import { ipc } from './calls/ipc.js';
import { memory } from './calls/memory.js';
import { mounts } from './calls/mounts.js';
import { processes } from './calls/processes.js';
import { signals } from './calls/signals.js';
import { sockets } from './calls/sockets.js';
import { system } from './calls/system.js';
import { time } from './calls/time.js';
import { waiting } from './calls/waiting.js';
import type { Syscall } from './dsl.js';

export const syscalls: readonly Syscall[] = [
  ...files,
  ...ipc,
  ...memory,
  ...mounts,
  ...processes,
  ...signals,
  ...sockets,
  ...system,
  ...time,
  ...waiting,
].sort((a, b) => a.nr - b.nr);
