// Records a server while clients talk to it, ends it, replays it and compares.
//
// Invariant: the server is ended by what the scenario says, or killed with its process group at the deadline; nothing of it is
// left when the function returns or throws.
import { mkdirSync } from 'node:fs';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';

import { replayAndCompare, type CycleResult } from './cycle.js';
import { understudy } from './paths.js';
import { guestEnv, killGroup, sleep, start, until } from './process.js';

export interface ServerOptions {
  /** The command; `tmp` is where the server may write. */
  argv: (tmp: string) => readonly string[];
  /** Given once the server accepts connections on this port. */
  drive: (tmp: string) => Promise<void>;
  port: number;
  /** Asks the server to end; SIGTERM to the recorder, which passes it on, if not given. */
  stop?: () => Promise<void>;
  status: number;
  replays: number;
  work: string;
}

const DEADLINE_MS = 60_000;

/** A port of the loopback interface that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

export function connectTo(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

export async function serverCycle(options: ServerOptions): Promise<CycleResult> {
  const tmp = join(options.work, 'tmp');
  const journal = join(options.work, 'journal');
  mkdirSync(tmp, { recursive: true });
  const { child, done } = start([understudy, 'record', '-o', journal, '--no-summary', '--', ...options.argv(tmp)], {
    cwd: tmp,
    env: guestEnv(tmp),
    timeoutMs: DEADLINE_MS,
  });
  let over = false;
  const ended = done.then((result) => {
    over = true;
    return result;
  });
  let trouble = '';
  try {
    await until('the server to accept connections', async () => {
      if (over) throw new Error('the server ended before it accepted a connection');
      try {
        (await connectTo(options.port)).destroy();
        return true;
      } catch {
        return undefined;
      }
    });
    await options.drive(tmp);
    if (options.stop !== undefined) await options.stop();
    else process.kill(child.pid!, 'SIGTERM');
    const quick = await Promise.race([ended, sleep(20_000)]);
    if (quick === undefined) throw new Error('the server does not end');
  } catch (error) {
    trouble = error instanceof Error ? error.message : String(error);
    if (!over) killGroup(child.pid!);
  }
  const recorded = await ended;
  const result = { journal, recorded, replayed: undefined };
  const said = `${recorded.stderr.toString()}\n${recorded.stdout.toString().split('\n').slice(-20).join('\n')}`;
  if (trouble !== '')
    return { ...result, verdict: 'record', detail: `${trouble}; exit status ${recorded.status}\n${said}` };
  if (recorded.status !== options.status)
    return {
      ...result,
      verdict: 'record',
      detail: `exit status ${recorded.status} recorded, not ${options.status}\n${said}`,
    };
  const replay = await replayAndCompare(recorded, {
    journal,
    replays: options.replays,
    cwd: tmp,
    timeoutMs: DEADLINE_MS,
  });
  return { ...result, ...replay };
}
