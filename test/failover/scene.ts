// What the scenarios of this folder share: a rig per scenario, a protected service on it, and what must hold after any failure.
import { expect } from 'vitest';

import { messageOf } from '../../journal/src/errors.js';
import type { CapturedPacket } from '../harness/capture.js';
import type { ClientResult } from '../harness/clients/main.js';
import { until } from '../harness/process.js';
import { Rig, whyNoRig, type Host, type RigOptions } from '../harness/rig.js';

const reason = whyNoRig();
// Said once, where it is looked for: a skipped scenario without a reason reads like a passed one.
if (reason !== undefined) console.warn(`scenarios with two hosts are skipped: ${reason}`);
export const cannot = reason !== undefined;

export const SERVICE = 'orders';

/** A rig for the time of one scenario. What its programs said is part of a failure's report. */
export function onRig(scenario: (rig: Rig) => Promise<void>, options: RigOptions = {}): () => Promise<void> {
  return async () => {
    const rig = await Rig.start({ label: 'scene', ...options });
    try {
      await scenario(rig);
    } catch (error) {
      const text = `${messageOf(error)}\n${rig.logs()}`;
      throw new Error(text, { cause: error });
    } finally {
      await rig.close();
    }
  };
}

/** A service's definition, with the fields that all scenarios share. */
export function definition(
  rig: Rig,
  command: string[],
  port: number,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    name: SERVICE,
    command,
    hosts: [
      { name: 'host-a', priority: 100 },
      { name: 'host-b', priority: 50 },
    ],
    vip: { address: rig.vip, prefix: 24, interface: 'eth0' },
    ports: { tcp: [port] },
    // One failover is looked at at a time; what comes after it would be in the capture, too.
    reinstate: { auto: false },
    ...more,
  };
}

export async function protect(rig: Rig, config: Record<string, unknown>): Promise<void> {
  const answer = await rig.apply('a', config);
  expect(answer).toMatchObject({ host: 'host-a', state: 'protected', backup: 'host-b', epoch: 1 });
  // It runs; that it accepts connections is a matter of its own start.
  const [port] = (config['ports'] as { tcp: number[] }).tcp;
  const { address } = config['vip'] as { address: string };
  await until(`the server to accept connections at port ${port}`, () =>
    rig.run('c', ['bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`]).status === 0 ? true : undefined,
  );
}

export function redisDefinition(rig: Rig): Record<string, unknown> {
  const command = ['redis-server', '--port', '6379', '--save', '', '--bind', '0.0.0.0', '--protected-mode', 'no'];
  return definition(rig, command, 6379);
}

export const protectRedis = (rig: Rig): Promise<void> => protect(rig, redisDefinition(rig));

/** Waits until this host says this of the service. */
export async function untilState(rig: Rig, host: Host, state: string, role: string): Promise<void> {
  let last = '';
  try {
    await until(`${state}, ${role} on host ${host}`, async () => {
      const row = await rig.row(host, SERVICE);
      last = `${row?.state}, ${row?.role} (${row?.reason})`;
      if (row?.reinsertion) last += `, new backup: ${row.reinsertion.stage} ${row.reinsertion.failure}`;
      return row?.state === state && row.role === role ? true : undefined;
    });
  } catch (error) {
    throw new Error(`${messageOf(error)}; it is ${last}`, { cause: error });
  }
}

/** All answers came, they were right, on the connections of the beginning, and the server has what it must have. */
export function expectUnharmed(result: ClientResult, requestsMin: number): void {
  expect(result.errors).toEqual([]);
  expect(result.requests).toBeGreaterThanOrEqual(requestsMin);
}

/** From the first packet of B on, none came from A. */
export function expectOneVoice(packets: readonly CapturedPacket[]): void {
  const first = packets.find(({ from }) => from === 'b');
  expect(first, 'host b has sent nothing').toBeDefined();
  const late = packets.filter(({ from, at }) => from === 'a' && at > first!.at);
  expect(late.map(({ at, text }) => `${((at - first!.at) * 1000).toFixed(1)} ms after: ${text}`)).toEqual([]);
  expect(packets.filter(({ from }) => from === 'a').length, 'host a was never heard').toBeGreaterThan(0);
}
