// Everything that can be going on on a TCP connection when its host dies, at once: bulk data either way, half-closed connections,
// connections that nobody has accepted, clients and guests that read late. Each connection knows every byte in advance and is never opened
// again. Needs root.
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { Lines } from '../../bench/lib/lines.js';
import { findProgram } from '../harness/find-program.js';
import { root } from '../harness/paths.js';
import type { Rig, RigOptions } from '../harness/rig.js';
import { cannot, definition, onRig, protect, SERVICE, untilState } from './scene.js';

const PORT = 7007;
const SLOW_PORT = 7008;
const READY_MS = 15_000;
const OVER_MS = 20_000;

const python = findProgram('python3');
const file = (name: string): string => join(root, 'test/failover/streams', name);

const kinds = {
  bulk: ['download', 'upload', 'fast-reader', 'echo', 'echo'],
  ends: ['client-ended', 'server-ended', 'closed-by-guest', 'client-ended', 'server-ended', 'echo'],
  late: ['slow-reader', 'late-guest', 'idle', 'slow-reader', 'late-guest'],
  queue: [...Array<string>(4).fill('in-queue'), 'in-queue-ended', ...Array<string>(4).fill('just-accepted'), 'echo'],
};

const kill = (rig: Rig): void => rig.signalAll('a', 'SIGKILL');
const killGuest = (rig: Rig): void => rig.pidsOf('a', 'python3').forEach((pid) => process.kill(pid, 'SIGKILL'));

/** All of these are going on; the host dies. Which of them did not come to their right ends, and why. */
async function troubleOf(
  rig: Rig,
  which: readonly string[],
  strike: (rig: Rig, go: () => void) => void | Promise<void>,
  more: Record<string, unknown> = {},
  timeoutS = 12,
): Promise<Record<string, string>> {
  const command = [python!, '-B', file('server.py'), String(PORT), String(SLOW_PORT)];
  await protect(rig, { ...definition(rig, command, PORT), ports: { tcp: [PORT, SLOW_PORT] }, ...more });
  const { address } = (more['vip'] ?? { address: rig.vip }) as { address: string };
  const client: ChildProcess = rig.spawn(
    'c',
    'streams',
    [
      'env',
      `TIMEOUT_S=${timeoutS}`,
      python!,
      '-B',
      file('client.py'),
      address,
      String(PORT),
      String(SLOW_PORT),
      ...which,
    ],
    'pipes',
  );
  const said = new Lines('the client', client);
  expect(await said.next(READY_MS)).toBe('ready');
  let told = false;
  const go = (): void => {
    if (!told) client.stdin!.write('struck\n');
    told = true;
  };
  await strike(rig, go);
  go();
  const results = JSON.parse(await said.next(OVER_MS)) as Record<string, string>;
  expect(Object.keys(results)).toHaveLength(which.length);
  await untilState(rig, 'b', 'unprotected', 'primary');
  const repair = (await rig.explain('b', SERVICE))!.stages.find(({ stage }) => stage === 'repair')!.detail;
  if (which.includes('in-queue')) expect(repair, 'nothing was left in the queue of a listener').toMatch(/not accepted/);
  return Object.fromEntries(Object.entries(results).filter(([, result]) => result !== 'ok'));
}

/** Switches host a's input gate off: what holds its acknowledgements back until the backup has the bytes. */
function openGate(rig: Rig): void {
  const filters = (direction: string): string => rig.run('a', ['tc', 'filter', 'show', 'dev', 'eth0', direction]).out;
  expect(filters('egress'), 'there is no filter of acknowledgements').toContain('bpf');
  expect(rig.run('a', ['tc', 'filter', 'del', 'dev', 'eth0', 'egress'])).toMatchObject({ status: 0 });
  expect(filters('egress')).toBe('');
}

const scene = (
  which: readonly string[],
  strike: (rig: Rig) => void,
  more: (rig: Rig) => Record<string, unknown> = () => ({}),
  options: RigOptions = {},
): (() => Promise<void>) =>
  onRig(async (rig) => expect(await troubleOf(rig, which, strike, more(rig))).toEqual({}), options);

describe.skipIf(cannot || python === undefined)('a server in Python, in the midst of', () => {
  // One kind at a time, to find out which of them fails: all of them are in the scenarios below.
  for (const [kind, which] of Object.entries(kinds))
    it.runIf(process.env['UNDERSTUDY_SCENES'] === 'all')(`${kind}, alone`, scene(which, kill));

  it('all of it', scene(Object.values(kinds).flat(), kill));
  it('all of it, when only the guest is killed', scene(Object.values(kinds).flat(), killGuest));
  it(
    'all of it, over IPv6',
    scene(Object.values(kinds).flat(), kill, (rig) => ({ vip: { address: rig.vip6, prefix: 64, interface: 'eth0' } })),
  );
  it(
    'what the backup does not hold, with an input gate that is switched off: the loss is noticed',
    onRig(async (rig) => {
      const strike = async (_rig: Rig, go: () => void): Promise<void> => {
        openGate(rig);
        go();
        await sleep(400);
        kill(rig);
      };
      const trouble = await troubleOf(rig, ['late-guest-told', 'late-guest-told'], strike, {}, 3);
      expect(Object.keys(trouble)).toEqual(['late-guest-told-0', 'late-guest-told-1']);
    }),
  );
  it(
    'much of it, with a mirror that is sealed, and outputs that wait for the disk',
    scene([...kinds.bulk, ...kinds.ends], kill, () => ({ outputCommit: 'durable' }), {
      dataPlane: { encryption: true },
    }),
  );
});
