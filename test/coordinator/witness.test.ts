// The embedded driver: keeps the contract, and is not impressed by strangers.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { WitnessClient } from '../../controller/coordinator/witness-client.js';
import { Witness } from '../../controller/coordinator/witness.js';
import { connectControl } from '../../controller/wire/client.js';
import { contract, record, until } from './contract.js';
import { freePort } from './free-port.js';

const key = randomBytes(32);
const identity = (name: string) => ({ name, product: 'test' });

describe('embedded coordinator', () => {
  const dir = mkdtempSync(join(tmpdir(), 'understudy-witness-'));
  let port = 0;
  let witness: Witness | undefined;
  const start = async (): Promise<void> => {
    witness = await Witness.open(dir);
    port = (await witness.listen({ address: '127.0.0.1', port, key }, identity('witness'), () => undefined)).port;
  };
  const stop = async (): Promise<void> => {
    await witness?.close();
    witness = undefined;
  };
  contract({
    start: async () => {
      port = await freePort();
      await start();
    },
    client: (name) => new WitnessClient({ address: '127.0.0.1', port, key }, identity(name)),
    stop,
    restart: start,
    end: async () => {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  });
});

const connected = (client: WitnessClient): Promise<void> =>
  new Promise((resolve) => client.onReachable((up) => up && resolve()));

describe('witness', () => {
  async function withWitness(run: (port: number, log: string[]) => Promise<void>): Promise<void> {
    const dir = mkdtempSync(join(tmpdir(), 'understudy-witness-'));
    const log: string[] = [];
    const witness = await Witness.open(dir);
    try {
      const { port } = await witness.listen(
        { address: '127.0.0.1', port: 0, key },
        identity('witness'),
        (level, text) => log.push(`${level} ${text}`),
      );
      await run(port, log);
    } finally {
      await witness.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }

  it('has one owner per directory', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'understudy-witness-'));
    const witness = await Witness.open(dir);
    await expect(Witness.open(dir)).rejects.toMatchObject({ code: 'E_COORDINATOR' });
    await witness.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('refuses a wrong key, and says so in its log', async () => {
    await withWitness(async (port, log) => {
      await expect(
        connectControl({ address: '127.0.0.1', port, key: randomBytes(32) }, identity('stranger')),
      ).rejects.toMatchObject({ code: 'E_HOST_UNREACHABLE' });
      await until('a line in the log', () => log.some((line) => /wrong key/.test(line)));
    });
  });

  it('goes on while garbage and silence come in, and bounds what it says about them', async () => {
    await withWitness(async (port, log) => {
      const client = new WitnessClient({ address: '127.0.0.1', port, key }, identity('a'));
      const sockets = Array.from({ length: 200 }, (_, i) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        if (i % 3 !== 0) socket.write(randomBytes(4096));
        return socket;
      });
      await sleep(300);
      for (const socket of sockets) socket.destroy();
      await connected(client);
      const won = await client.compareAndSet(0, record('s', 1));
      expect(won.won).toBe(true);
      expect(log.filter((line) => /refused/.test(line)).length).toBeLessThanOrEqual(20);
      expect(log.some((line) => /refused/.test(line))).toBe(true);
      await client.close();
    });
  });

  it('refuses what is no record', async () => {
    await withWitness(async (port) => {
      const peer = await connectControl({ address: '127.0.0.1', port, key }, identity('a'));
      await expect(
        peer.request('coordinator.compareAndSet', { expectedRevision: 0, record: { service: '../etc' } }),
      ).rejects.toMatchObject({ code: 'E_REFUSED' });
      await expect(peer.request('no.such', {})).rejects.toMatchObject({ code: 'E_REFUSED' });
      peer.close();
    });
  });

  it('decides within a few milliseconds', async () => {
    await withWitness(async (port) => {
      const client = new WitnessClient({ address: '127.0.0.1', port, key }, identity('a'));
      await connected(client);
      let revision = 0;
      const took: number[] = [];
      for (let epoch = 1; epoch <= 50; epoch++) {
        const begun = performance.now();
        const result = await client.compareAndSet(revision, record('s', epoch));
        took.push(performance.now() - begun);
        if (!result.won) throw new Error('lost against nobody');
        revision = result.revision;
      }
      took.sort((x, y) => x - y);
      // The disk's flush is in it. A figure for the record is in bench/, not here: this only finds an order of magnitude.
      expect(took[25]).toBeLessThan(50);
      await client.close();
    });
  });
});
