// A guest program through the circle, with its own work directory, which is kept when it failed.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { cycle, reproduction, type CycleOptions, type CycleResult } from './cycle.js';
import { compileGuest, type Guest } from './guests.js';
import { removeWorkDir } from './paths.js';

// Natively each ends within a second or two.
const GUEST_TIMEOUT_MS = 20_000;

export interface GuestResult extends Omit<CycleResult, 'verdict'> {
  guest: Guest;
  verdict: CycleResult['verdict'] | 'compile';
}

export async function guestCycle(
  guest: Guest,
  above: string,
  replays: number,
  keep = false,
  isolated = false,
  checkpoints?: NonNullable<CycleOptions['checkpoints']>,
): Promise<GuestResult> {
  let binary: string;
  try {
    binary = await compileGuest(guest);
  } catch (error) {
    const text = (error as { stderr?: string }).stderr ?? String(error);
    return { guest, verdict: 'compile', detail: text, journal: '', recorded: undefined, replayed: undefined };
  }
  const work = join(above, guest.name);
  mkdirSync(work, { recursive: true });
  const options = {
    argv: [binary, ...guest.args],
    status: guest.status,
    replays,
    work,
    timeoutMs: GUEST_TIMEOUT_MS,
    ...(isolated ? { recordOptions: ['--isolate'], replayOptions: ['--isolate'] } : {}),
    ...(guest.stdin === undefined ? {} : { stdin: guest.stdin }),
    ...(checkpoints === undefined ? {} : { checkpoints }),
  };
  const result = await cycle(options);
  if (result.verdict === 'ok') {
    if (!keep) removeWorkDir(work);
    return { guest, ...result };
  }
  return { guest, ...result, detail: `${result.detail}\n${reproduction(options, result.journal)}` };
}
