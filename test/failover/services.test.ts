// Servers under the kinds of load that their ordinary clients make: pipelines, large values, long downloads and uploads, transactions,
// datagrams. Host a dies in the midst of it. Needs root.
import { execFileSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { Lines } from '../../bench/lib/lines.js';
import { Client } from '../harness/client.js';
import { WWW_FILES, wwwFile } from '../harness/clients/dialogues.js';
import { findProgram } from '../harness/find-program.js';
import { root } from '../harness/paths.js';
import { until } from '../harness/process.js';
import { hosts, otherHost, type Host, type Rig } from '../harness/rig.js';
import { cannot, definition, expectUnharmed, onRig, protect, protectRedis, untilState } from './scene.js';

const READY_MS = 15_000;
const OVER_MS = 20_000;
const python = findProgram('python3');
const file = (name: string): string => join(root, 'test/failover/streams', name);

/** A client in Python that says when everything is going on, and at the end what has become of each part of it. */
async function whileItRuns(rig: Rig, argv: readonly string[], parts: number): Promise<void> {
  const client = rig.spawn('c', 'streams', [python!, '-B', ...argv], 'pipes');
  const said = new Lines('the client', client);
  expect(await said.next(READY_MS)).toBe('ready');
  rig.signalAll('a', 'SIGKILL');
  client.stdin!.write('struck\n');
  const results = JSON.parse(await said.next(OVER_MS)) as Record<string, string>;
  expect(Object.fromEntries(Object.entries(results).filter(([, result]) => result !== 'ok'))).toEqual({});
  expect(Object.keys(results)).toHaveLength(parts);
}

const BACK = { reinstate: { auto: true, delayMs: 100 } };
const MOVES = 3;

/** The first of its processes: the end of another one would be the guest's own affair. */
const killGuest =
  (program: string) =>
  (rig: Rig, from: Host): void =>
    void process.kill(Math.min(...rig.pidsOf(from, program)), 'SIGKILL');

function killDaemon(rig: Rig, from: Host): void {
  rig.signalAll(from, 'SIGKILL');
  rig.startDaemon(from);
}

/** It dies again and again, each time when it has got a new backup; clients go on through all of that. */
async function moveThereAndBack(
  rig: Rig,
  kill: (rig: Rig, from: Host) => void,
  between: () => Promise<unknown>,
): Promise<void> {
  for (let move = 0, from: Host = 'a'; move < MOVES; move++, from = otherHost(from)) {
    kill(rig, from);
    await untilState(rig, otherHost(from), 'protected', 'primary');
    await untilState(rig, from, 'protected', 'backup');
    await between();
  }
}

const nginxConf = (place: string): string => `
daemon off;
user root;
worker_processes 4;
pid ${place}/temp/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_max_body_size 64m;
  client_body_temp_path ${place}/temp/body;
  proxy_temp_path ${place}/temp/proxy;
  fastcgi_temp_path ${place}/temp/fastcgi;
  uwsgi_temp_path ${place}/temp/uwsgi;
  scgi_temp_path ${place}/temp/scgi;
  server {
    listen 8080;
    root ${place}/files;
    location = /big { limit_rate 3m; }
    location /up/ { dav_methods PUT; create_full_put_path on; }
  }
}
`;

/** The same on both hosts: what nginx serves, and its configuration. */
function makeSite(rig: Rig): void {
  for (const host of hosts) {
    const own = rig.ownDirOf(host);
    for (const dir of ['temp', 'files', 'files/up']) mkdirSync(join(own, dir));
    for (let n = 0; n < WWW_FILES; n++) writeFileSync(join(own, 'files', `file-${n}`), wwwFile(n));
    writeFileSync(
      join(own, 'files/big'),
      Buffer.from(Uint8Array.from({ length: 6 << 20 }, (_, i) => (i * 7919) ^ (i >> 8))),
    );
    writeFileSync(join(own, 'nginx.conf'), nginxConf(rig.ownDir));
  }
}

/** Where Debian has it: each version beside the others, none of them in PATH. */
const POSTGRES = ((): string | undefined => {
  const base = '/usr/lib/postgresql';
  const version = existsSync(base) ? readdirSync(base).at(-1) : undefined;
  return version === undefined ? undefined : join(base, version, 'bin');
})();
const postgresUser = ((): { uid: number; gid: number } | undefined => {
  try {
    const [uid, gid] = ['-u', '-g'].map((what) =>
      Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })),
    );
    return { uid: uid!, gid: gid! };
  } catch {
    return undefined; // There is no such user.
  }
})();
const hasPostgres =
  POSTGRES !== undefined &&
  postgresUser !== undefined &&
  findProgram('pgbench') !== undefined &&
  findProgram('setpriv') !== undefined;

describe.skipIf(cannot)('on two hosts, the first one dies in the midst of', () => {
  it(
    'pipelines of redis-benchmark, 16 commands deep, on 50 connections',
    onRig(async (rig) => {
      await protectRedis(rig);
      const count = 800_000;
      const argv = [
        'redis-benchmark',
        '-h',
        rig.vip,
        '-c',
        '50',
        '-P',
        '16',
        '-n',
        String(count),
        '-t',
        'incr',
        '--csv',
      ];
      const benchmark = rig.spawn('c', 'benchmark', argv);
      const counter = (): number =>
        Number(rig.run('c', ['redis-cli', '-h', rig.vip, 'get', 'counter:__rand_int__']).out);
      await until('the benchmark to be well under way', () => (counter() > count / 10 ? true : undefined));
      expect(benchmark.exitCode).toBeNull();
      rig.signalAll('a', 'SIGKILL');
      expect(await rig.ended('benchmark', 30_000)).toBe(0);
      expect(rig.log('benchmark')).not.toMatch(/err|reset|closed/i);
      expect(counter()).toBe(count);
    }),
  );

  it.skipIf(python === undefined || findProgram('memcached') === undefined)(
    "memcached's values of a megabyte, by both of its protocols",
    onRig(async (rig) => {
      const command = ['memcached', '-u', 'root', '-t', '2', '-p', '11211', '-l', '0.0.0.0', '-U', '0', '-I', '2m'];
      await protect(rig, definition(rig, command, 11211));
      await whileItRuns(rig, [file('memcached.py'), rig.vip, '11211', '4'], 4);
    }),
  );

  it.skipIf(python === undefined || findProgram('memcached') === undefined)(
    "memcached's values of a megabyte, there and back",
    onRig(async (rig) => {
      const command = ['memcached', '-u', 'root', '-t', '2', '-p', '11211', '-l', '0.0.0.0', '-U', '0', '-I', '2m'];
      await protect(rig, { ...definition(rig, command, 11211), ...BACK });
      const argv = [python!, '-B', file('memcached.py'), rig.vip, '11211', '4'];
      const client = rig.spawn('c', 'streams', argv, 'pipes');
      const said = new Lines('the client', client);
      expect(await said.next(READY_MS)).toBe('ready');
      await moveThereAndBack(rig, killGuest('memcached'), () => sleep(200));
      client.stdin!.write('struck\n');
      const results = JSON.parse(await said.next(OVER_MS)) as Record<string, string>;
      expect(Object.values(results)).toEqual(['ok', 'ok', 'ok', 'ok']);
    }),
    60_000,
  );

  it.skipIf(findProgram('nginx') === undefined)(
    "requests to nginx's four workers, there and back",
    onRig(async (rig) => {
      makeSite(rig);
      const command = [findProgram('nginx')!, '-c', join(rig.ownDir, 'nginx.conf'), '-e', 'stderr'];
      const storage = [{ path: rig.ownDir, class: 'unshared' }];
      await protect(rig, { ...definition(rig, command, 8080, { storage }), ...BACK });
      const client = await Client.start(rig, { port: 8080, dialogue: 'http', connections: 8, pauseMs: 5 });
      await client.answered(100);
      await moveThereAndBack(rig, killGuest('nginx'), () => client.answered(100));
      expectUnharmed(await client.stop(), 400);
    }),
    60_000,
  );

  it.skipIf(python === undefined || findProgram('nginx') === undefined)(
    "long downloads and uploads of nginx's four workers, with small requests beside",
    onRig(async (rig) => {
      makeSite(rig);
      const command = [findProgram('nginx')!, '-c', join(rig.ownDir, 'nginx.conf'), '-e', 'stderr'];
      await protect(rig, definition(rig, command, 8080, { storage: [{ path: rig.ownDir, class: 'unshared' }] }));
      const client = await Client.start(rig, { port: 8080, dialogue: 'http', connections: 8, pauseMs: 5 });
      await whileItRuns(rig, [file('web.py'), rig.vip, '8080', join(rig.ownDirOf('a'), 'files'), '6'], 6);
      expectUnharmed(await client.stop(), 300);
      await untilState(rig, 'b', 'unprotected', 'primary');
    }),
  );

  it.skipIf(python === undefined)(
    'datagrams to a server that remembers them',
    onRig(async (rig) => {
      const config = {
        ...definition(rig, [python!, '-B', file('udp.py'), 'server', rig.vip, '7007'], 7007),
        ports: { udp: [7007] },
      };
      expect(await rig.apply('a', config)).toMatchObject({ host: 'host-a', state: 'protected' });
      await whileItRuns(rig, [file('udp.py'), 'client', rig.vip, '7007', '4'], 4);
      await untilState(rig, 'b', 'unprotected', 'primary');
    }),
  );

  it.skipIf(!hasPostgres)(
    "pgbench's transactions in PostgreSQL, on files of each host's own",
    onRig(async (rig) => {
      const postgres = await startPostgres(rig, {});
      postgres.begin(3);
      await sleep(1200);
      rig.signalAll('a', 'SIGKILL');
      await postgres.check();
      await untilState(rig, 'b', 'unprotected', 'primary');
    }),
  );

  it.skipIf(!hasPostgres)(
    "pgbench's transactions in PostgreSQL, whose files go there and back with it",
    onRig(async (rig) => {
      const postgres = await startPostgres(rig, BACK);
      // What the other host has from before must not be taken for what the primary has written since.
      postgres.begin(20);
      await sleep(500);
      // Its other processes would notice the death of the first one, and tell their clients.
      await moveThereAndBack(rig, killDaemon, () => sleep(200));
      await postgres.check();
      for (const host of hosts) {
        const place = rig.ownDirOf(host);
        expect(readdirSync(place)).toEqual(['data']);
      }
    }),
    60_000,
  );
});

interface Postgres {
  /** Clients work for so long. */
  begin: (seconds: number) => void;
  /** When they have ended: nothing failed, and what they were told is in the tables. */
  check: () => Promise<void>;
}

/** A new cluster, the same on both hosts, on directories of each host's own. */
async function startPostgres(rig: Rig, more: object): Promise<Postgres> {
  const as = (...argv: string[]): string[] => [
    'setpriv',
    `--reuid=${postgresUser!.uid}`,
    `--regid=${postgresUser!.gid}`,
    '--clear-groups',
    ...argv,
  ];
  const made = join(rig.dir, 'made');
  mkdirSync(made);
  chownSync(made, postgresUser!.uid, postgresUser!.gid);
  execFileSync('chmod', ['755', rig.dir]);
  const data = join(made, 'data');
  const run = (argv: string[]): string => execFileSync(argv[0]!, argv.slice(1), { encoding: 'utf8', cwd: '/' });
  run(as(`${POSTGRES}/initdb`, '-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C'));
  writeFileSync(join(data, 'pg_hba.conf'), 'host all all all trust\n');
  for (const host of hosts) {
    cpSync(data, join(rig.ownDirOf(host), 'data'), { recursive: true, preserveTimestamps: true });
    execFileSync('chown', ['-R', 'postgres:postgres', rig.ownDirOf(host)]);
    execFileSync('chmod', ['700', join(rig.ownDirOf(host), 'data')]);
  }
  rmSync(made, { recursive: true });
  const settings = [
    'listen_addresses=0.0.0.0',
    'unix_socket_directories=',
    'shared_buffers=16MB',
    'fsync=off',
    // Who waits for a lock is woken by a signal: with the timeout that looks for deadlocks, one that is lost would only be slow.
    'deadlock_timeout=60s',
  ];
  const command = [
    `${POSTGRES}/postgres`,
    '-D',
    join(rig.ownDir, 'data'),
    ...settings.flatMap((setting) => ['-c', setting]),
  ];
  const storage = [{ path: rig.ownDir, class: 'unshared' }];
  await protect(rig, { ...definition(rig, command, 5432, { user: 'postgres', storage }), ...more });
  const to = ['-h', rig.vip, '-U', 'postgres'];
  const psql = (sql: string) => rig.run('c', ['psql', ...to, '-Atc', sql, 'postgres']);
  const ask = (sql: string): string => {
    const { status, out, err } = psql(sql);
    if (status !== 0) throw new Error(`psql ended with ${status}: ${err}`);
    return out.trim();
  };
  await until('PostgreSQL to answer', () => (psql('select 1').status === 0 ? true : undefined));
  expect(rig.run('c', ['pgbench', ...to, '-i', '-q', 'postgres']).status).toBe(0);
  return {
    begin: (seconds) =>
      void rig.spawn('c', 'pgbench', ['pgbench', ...to, '-c4', '-j1', `-T${seconds}`, '-P1', '-n', 'postgres']),
    check: async () => {
      expect(await rig.ended('pgbench', 40_000)).toBe(0);
      const done = /transactions actually processed: (\d+)/.exec(rig.log('pgbench'))?.[1];
      expect(rig.log('pgbench')).toMatch(/failed transactions: 0 /);
      // A second each. Who is not woken stops all others, as everybody updates the same row; a connection that is sent again may take one.
      const seconds = rig.log('pgbench').match(/^progress: .*$/gm) ?? [];
      const idle = seconds.map((text) => (/ 0\.0 tps/.test(text) ? '-' : '+')).join('');
      expect(idle).toMatch(/\+/);
      expect(idle).not.toMatch(/---/);
      expect(ask('select count(*) from pgbench_history')).toBe(done);
      expect(
        ask('select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)'),
      ).toBe('t');
    },
  };
}
