// Directories for what a replay writes. Role: making one, and removing those whose replay was killed before it could.
//
// Invariants:
//  - The name says whose it is: pid namespace, process and the moment at which that process started (a pid is used again). Only a
//    directory whose process certainly does not live any more is removed, and only one of this user.
//
// Must not: hold up or fail a replay because of what another left behind.
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { errnoOf } from '../journal/src/errors.js';

const PREFIX = 'understudy-replay-';
const NAME = /^understudy-replay-(\d+)-(\d+)-(\d+)-[^-]*$/;

export function makeScratchDir(): string {
  return mkdtempSync(join(tmpdir(), `${PREFIX}${pidNamespace()}-${process.pid}-${startOf(process.pid)}-`));
}

export function removeScratchDir(path: string): void {
  try {
    // Most replays write nothing, and Node loads a module for removing more than one directory.
    rmdirSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
    rmSync(path, { recursive: true, force: true });
  }
}

/** Returns those that should have been removed and could not be. */
export function removeStaleScratchDirs(): string[] {
  const left: string[] = [];
  const here = pidNamespace();
  const uid = process.getuid?.();
  for (const name of readdirSync(tmpdir())) {
    const [, namespace, pid, start] = NAME.exec(name) ?? [];
    // The processes of another namespace cannot be seen from here.
    if (pid === undefined || start === undefined || namespace !== here) continue;
    if (startOf(Number(pid)) === start) continue;
    const path = join(tmpdir(), name);
    try {
      if (lstatSync(path).uid === uid) removeScratchDir(path);
    } catch (error) {
      // Another replay that starts at this moment may have been quicker.
      if (errnoOf(error) !== 'ENOENT') left.push(path);
    }
  }
  return left;
}

function pidNamespace(): string {
  return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
}

/** When a process started, in clock ticks since the machine did; undefined when there is none with this pid. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command's name may contain anything, but the last parenthesis is its end.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}
