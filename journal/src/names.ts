// Names of what a journal holds as numbers: event kinds, system calls and their arguments, errno values. For people; nothing is
// decided by them but which calls make descriptors.
import { constants } from 'node:os';

import type { Arg, Syscall } from '../schema/dsl.js';
import { eventKinds, syscallHead, type EventKind } from '../schema/events.js';
import { syscalls } from '../schema/syscalls.js';

const byNumber = new Map<number, Syscall>(syscalls.map((call) => [call.nr, call]));
const byName = new Map<string, Syscall>(syscalls.map((call) => [call.name, call]));

const EVENT_KINDS: ReadonlyMap<number, EventKind> = new Map(eventKinds.map((k) => [k.kind, k]));

export const EVENT_KIND_NAMES: readonly string[] = [...EVENT_KINDS.values()].map((k) => k.name);

export function kindName(kind: number): string {
  if (kind >= 0) return byNumber.get(kind)?.name ?? `syscall_${kind}`;
  return EVENT_KINDS.get(kind)?.name ?? `EVENT${kind}`;
}

/** Names of the elements after the kind; shorter than the event where it has outputs or is newer than this program. */
export function eventFields(kind: number): readonly string[] {
  const fields = kind >= 0 ? syscallHead.slice(1) : (EVENT_KINDS.get(kind)?.fields ?? []);
  return fields.map((field) => field.name);
}

/** Number of an event kind or of a system call by its name or number; undefined if there is none. */
export function eventKindByName(name: string): number | undefined {
  for (const [kind, { name: known }] of EVENT_KINDS) if (known === name.toUpperCase()) return kind;
  return undefined;
}

export function syscallByName(name: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  return byName.get(name.toLowerCase())?.nr;
}

export function syscallArgs(nr: number): readonly Arg[] {
  return byNumber.get(nr)?.args ?? [];
}

export function makesDescriptor(kind: number): boolean {
  return byNumber.get(kind)?.makesFd === true;
}

// Two names of one number: the one that manuals use of a system call's result.
const ERRNO_ALIASES = new Set(['EWOULDBLOCK', 'ENOTSUP']);
const errnoNames = new Map<number, string>(
  Object.entries(constants.errno)
    .filter(([name]) => !ERRNO_ALIASES.has(name))
    .map(([name, number]) => [number, name]),
);
// Values that only the kernel uses inside, and that Node does not list.
const KERNEL_ERRNO = new Map([
  [512, 'ERESTARTSYS'],
  [513, 'ERESTARTNOINTR'],
  [514, 'ERESTARTNOHAND'],
  [516, 'ERESTART_RESTARTBLOCK'],
]);

/** "ENOENT" for -2; undefined for a result that is no error. */
export function errnoName(ret: number | bigint): string | undefined {
  const n = Number(ret);
  if (n >= 0 || n < -4095) return undefined;
  return errnoNames.get(-n) ?? KERNEL_ERRNO.get(-n) ?? `errno ${-n}`;
}
