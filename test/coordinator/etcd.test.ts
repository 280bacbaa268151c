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

  const start = (): Promise<void> => {
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    child = spawn(
      binary!,
      [
        ...['--data-dir', dir, '--log-level', 'error'],
        ...['--listen-client-urls', url(ports[0]), '--advertise-client-urls', url(ports[0])],
        ...['--listen-peer-urls', url(ports[1]), '--initial-advertise-peer-urls', url(ports[1])],
        ...['--initial-cluster', `default=${url(ports[1])}`],
      ],
      { stdio: 'ignore' },
    );
    return Promise.resolve();
  };
  const stop = async (): Promise<void> => {
    const dying = child;
    child = undefined;
    if (dying === undefined) return;
    await new Promise<void>((resolve) => {
      dying.once('exit', () => resolve());
      dying.kill('SIGKILL');
    });
  };

  contract({
    start: async () => {
      dir = mkdtempSync(join(tmpdir(), 'understudy-etcd-'));
      ports = [await freePort(), await freePort()];
      await start();
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
