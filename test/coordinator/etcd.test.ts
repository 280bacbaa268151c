// The etcd driver, against a real etcd of its own.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';

import { EtcdCoordinator } from '../../controller/coordinator/etcd.js';
import { contract } from './contract.js';
import { freePort } from './free-port.js';

const binary = ['/usr/bin/etcd', '/usr/local/bin/etcd'].find((path) => existsSync(path));

describe.skipIf(binary === undefined)('etcd coordinator', () => {
  let dir: string;
  let ports: [number, number];
  let child: ChildProcess | undefined;

  const spawnEtcd = (): ChildProcess => {
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    return spawn(
      binary!,
      [
        ...['--data-dir', dir, '--log-level', 'error'],
        ...['--listen-client-urls', url(ports[0]), '--advertise-client-urls', url(ports[0])],
        ...['--listen-peer-urls', url(ports[1]), '--initial-advertise-peer-urls', url(ports[1])],
        ...['--initial-cluster', `default=${url(ports[1])}`],
      ],
      { stdio: 'ignore' },
    );
  };
  const answers = async (): Promise<boolean> => {
    try {
      return (await fetch(`http://127.0.0.1:${ports[0]}/health`)).ok;
    } catch {
      return false;
    }
  };
  // A port that was free may be another's by now: then etcd ends at once.
  const start = async (): Promise<void> => {
    child = spawnEtcd();
    for (const until = Date.now() + 30_000; Date.now() < until && child.exitCode === null;) {
      if (await answers()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const stop = async (): Promise<void> => {
    const dying = child;
    child = undefined;
    if (dying === undefined || dying.exitCode !== null) return;
    await new Promise<void>((resolve) => {
      dying.once('exit', () => resolve());
      dying.kill('SIGKILL');
    });
  };

  contract({
    start: async () => {
      for (let attempt = 0; attempt < 5; attempt++) {
        dir = mkdtempSync(join(tmpdir(), 'understudy-etcd-'));
        ports = [await freePort(), await freePort()];
        await start();
        if (child?.exitCode === null) return;
        rmSync(dir, { recursive: true, force: true });
      }
      throw new Error('etcd does not start');
    },
    client: () => new EtcdCoordinator([`http://127.0.0.1:${ports[0]}`]),
    stop,
    restart: start,
    end: async () => {
      await stop();
      rmSync(dir, { recursive: true, force: true });
    },
  });
});
