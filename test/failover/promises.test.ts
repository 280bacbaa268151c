// What the two settings that change a service's promises come to: outputs that wait for the backup's disk, and outputs that may be ahead of
// the backup by a bound. Needs root.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { Capture } from '../harness/capture.js';
import { Client } from '../harness/client.js';
import { findProgram } from '../harness/find-program.js';
import { root } from '../harness/paths.js';
import { until } from '../harness/process.js';
import type { Rig } from '../harness/rig.js';
import {
  cannot,
  definition,
  expectOneVoice,
  expectUnharmed,
  onRig,
  protect,
  redisDefinition,
  SERVICE,
  untilState,
} from './scene.js';

const python = findProgram('python3');
const TICK_MS = 2;
const LEASE_MS = 40;
/** Of what passes between a packet and the moment at which somebody looks at it, on a machine that has other things to do. */
const SLACK_MS = 15;

/** Says every line that comes, with the milliseconds since the epoch, and how the connection ended. */
const LISTEN = `
const socket = require('node:net').connect(Number(process.argv[2]), process.argv[1]);
let text = '';
socket.on('data', (chunk) => {
  text += chunk;
  for (let end; (end = text.indexOf('\\n')) >= 0; text = text.slice(end + 1)) console.log(Date.now(), text.slice(0, end));
});
socket.on('error', (error) => console.log(Date.now(), error.code));
`;

interface Tick {
  at: number;
  number: number;
}
const ticksOf = (lines: string): Tick[] =>
  lines
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .filter(([at, number]) => Number.isFinite(at) && Number.isFinite(number) && number! > 0)
    .map(([at, number]) => ({ at: at!, number: number! }));

/** The thread of host b that writes to its disk, made slow. */
function slowDisk(rig: Rig, delayMs: number): void {
  const daemon = rig.processes('b').find(({ comm }) => comm === 'node')!.pid;
  const thread = readdirSync(`/proc/${daemon}/task`).find(
    (tid) => readFileSync(`/proc/${daemon}/task/${tid}/comm`, 'utf8').trim() === 'us-sync',
  );
  expect(thread, 'host b has no thread that writes to the disk').toBeDefined();
  const inject = `inject=fdatasync:delay_exit=${delayMs * 1000}`;
  rig.spawn('b', 'strace', ['strace', '-p', thread!, '-e', 'trace=fdatasync', '-e', inject]);
}

describe.skipIf(cannot)('a service', () => {
  it.skipIf(findProgram('strace') === undefined)(
    'whose outputs wait for the disk: a slow disk makes slow answers, and a takeover loses none',
    onRig(async (rig) => {
      await protect(rig, { ...redisDefinition(rig), outputCommit: 'durable' });
      const client = await Client.start(rig, { port: 6379, dialogue: 'redis', connections: 2, seed: 5 });
      await client.answered(100);
      slowDisk(rig, 150);
      await until('strace to be attached', () => (rig.log('strace').includes('attached') ? true : undefined));
      await sleep(100);
      const begin = Date.now();
      expect(rig.run('c', ['redis-cli', '-h', rig.vip, 'incr', 'slow']).out).toBe('1\n');
      expect(Date.now() - begin).toBeGreaterThan(120);
      rig.signalAll('a', 'SIGKILL');
      await client.answered(20);
      await untilState(rig, 'b', 'unprotected', 'primary');
      expectUnharmed(await client.stop(), 120);
    }),
  );

  it.skipIf(python === undefined)(
    'that may be ahead of its backup: what is lost is within the bound, and the lease has ended before the other host speaks',
    onRig(
      async (rig) => {
        const bound = { ms: 30, bytes: 1 << 20 };
        const command = [python!, '-B', join(root, 'test/failover/streams/ticker.py'), '7007'];
        await protect(rig, definition(rig, command, 7007, { rpo: bound }));
        const capture = await Capture.start(rig);
        const listen = (label: string): void =>
          void rig.spawn('c', label, [process.execPath, '-e', LISTEN, rig.vip, '7007']);
        listen('before');
        await until('ticks', () => (ticksOf(rig.log('before')).length > 100 ? true : undefined));
        // Whoever listens still hears host a, which its backup and the coordinator do not.
        const others = `{ ${rig.addressOf('b')}, ${rig.addressOf('w')} }`;
        const before = Date.now();
        rig.cut('a', 'from', `ip daddr ${others}`);
        rig.cut('a', 'to', `ip saddr ${others}`);
        const after = Date.now();
        await untilState(rig, 'b', 'unprotected', 'primary');
        listen('after');
        await until('ticks of the other host', () => (ticksOf(rig.log('after')).length > 20 ? true : undefined));

        const old = ticksOf(rig.log('before'));
        const numbers = old.map(({ number }) => number);
        expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
        const stages = new Map((await rig.explain('b', SERVICE))!.stages.map(({ stage, atNs }) => [stage, atNs]));
        expect((stages.get('claim')! - stages.get('fence')!) / 1e6).toBeGreaterThan(LEASE_MS);
        // It was ahead of its backup, for no longer than it may be, and then silent; what is lost is that much.
        const openAt = Date.now() - (Number(process.hrtime.bigint()) - stages.get('open')!) / 1e6;
        const alone = old.filter(({ at }) => at > before && at < openAt - 1);
        expect(alone.length).toBeGreaterThan(0);
        expect(alone.at(-1)!.at - after).toBeLessThan(bound.ms + SLACK_MS);
        const [next] = ticksOf(rig.log('after'));
        expect(next!.number).toBeGreaterThan(alone.at(-1)!.number - (bound.ms + SLACK_MS) / TICK_MS);
        expectOneVoice(await capture.packets());
      },
      { detection: { heartbeatMs: 10, deadlineMs: 50, leaseMs: LEASE_MS } },
    ),
  );
});
