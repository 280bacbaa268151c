// Real servers, unmodified, recorded under load and replayed: redis-server, memcached, nginx.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';

import type { CycleResult } from '../harness/cycle.js';
import { findProgram } from '../harness/find-program.js';
import { removeWorkDir } from '../harness/paths.js';
import { suiteWork } from '../harness/suite-work.js';
import { run, until } from '../harness/process.js';
import { connectTo, freePort, serverCycle } from '../harness/servers.js';

const REPLAYS = 2;
const TIMEOUT_MS = 180_000;
const asRoot = process.getuid?.() === 0;

function needs(context: TestContext, ...names: string[]): string[] {
  const found = names.map(findProgram);
  const missing = names.filter((_, i) => found[i] === undefined);
  if (missing.length > 0) context.skip(`not installed: ${missing.join(', ')} (scripts/setup installs it)`);
  return found as string[];
}

function check(result: CycleResult, dir: string): void {
  expect(`${result.verdict}${result.detail && `\n${result.detail}\njournal: ${result.journal}`}`).toBe('ok');
  removeWorkDir(dir);
}

/** Sends one request of a line protocol and gives what came until `complete` is content with it. */
function ask(socket: Socket, request: string, complete: (reply: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = '';
    const finish = (error?: Error): void => {
      socket.off('data', onData);
      socket.off('error', finish);
      socket.off('close', onClose);
      if (error === undefined) resolve(reply);
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      reply += chunk.toString('latin1');
      if (complete(reply)) finish();
    };
    const onClose = (): void => finish(new Error(`connection closed after: ${reply}`));
    socket.on('data', onData);
    socket.on('error', finish);
    socket.on('close', onClose);
    socket.write(request);
  });
}

describe('servers', () => {
  const work = suiteWork('servers');

  test(
    'redis-server under redis-benchmark, with AOF, a rewrite of it, and BGSAVE',
    { timeout: TIMEOUT_MS },
    async (context) => {
      const [server, benchmark, cli] = needs(context, 'redis-server', 'redis-benchmark', 'redis-cli') as [
        string,
        string,
        string,
      ];
      const port = await freePort();
      const dir = join(work.dir, String(port));
      const command = async (...args: string[]): Promise<string> =>
        (await run([cli, '-p', String(port), ...args], { cwd: work.dir })).stdout.toString();
      const idle = (field: string): Promise<true> =>
        until(`${field} to be over`, async () =>
          (await command('INFO', 'persistence')).includes(`${field}:0`) ? true : undefined,
        );
      const result = await serverCycle({
        argv: (tmp) => [
          ...[server, '--port', String(port), '--bind', '127.0.0.1', '--dir', tmp, '--save', ''],
          ...['--appendonly', 'yes', '--loglevel', 'verbose'],
        ],
        port,
        drive: async (tmp) => {
          const load = await run(
            [
              benchmark,
              '-p',
              String(port),
              '-c',
              '20',
              '-n',
              '2000',
              '-t',
              'set,get,incr,lpush,mset',
              '-r',
              '500',
              '-q',
            ],
            { cwd: tmp },
          );
          expect(load.status, load.stderr.toString()).toBe(0);
          const pipelined = await run(
            [benchmark, '-p', String(port), '-n', '4000', '-P', '16', '-t', 'set,get', '-q'],
            { cwd: tmp },
          );
          expect(pipelined.status).toBe(0);
          expect(await command('BGSAVE')).toContain('started');
          await idle('rdb_bgsave_in_progress');
          await command('BGREWRITEAOF');
          await idle('aof_rewrite_in_progress');
          expect(await command('SET', 'last', 'word')).toContain('OK');
          expect(await command('INFO', 'persistence')).toContain('rdb_last_bgsave_status:ok');
        },
        stop: async () => {
          await command('SHUTDOWN', 'NOSAVE');
        },
        status: 0,
        replays: REPLAYS,
        work: dir,
      });
      check(result, dir);
    },
  );

  test('memcached with four threads and ten connections', { timeout: TIMEOUT_MS }, async (context) => {
    const [memcached] = needs(context, 'memcached') as [string];
    const port = await freePort();
    const dir = join(work.dir, String(port));
    const result = await serverCycle({
      argv: () => [
        memcached,
        '-p',
        String(port),
        '-l',
        '127.0.0.1',
        '-t',
        '4',
        '-m',
        '16',
        ...(asRoot ? ['-u', 'root'] : []),
      ],
      port,
      drive: async () => {
        const client = async (id: number): Promise<void> => {
          const socket = await connectTo(port);
          for (let i = 0; i < 50; i++) {
            const value = 'v'.repeat(1 + ((i * 37) % 900));
            const key = `key-${(id * 7 + i) % 40}`;
            const stored = await ask(socket, `set ${key} 0 0 ${value.length}\r\n${value}\r\n`, (r) =>
              r.endsWith('\r\n'),
            );
            expect(stored).toBe('STORED\r\n');
            expect(await ask(socket, `get ${key}\r\n`, (r) => r.endsWith('END\r\n'))).toContain('VALUE');
            await ask(socket, `incr counter-${id} 1\r\n`, (r) => r.endsWith('\r\n'));
            if (i % 10 === 0) await ask(socket, 'stats\r\n', (r) => r.endsWith('END\r\n'));
          }
          socket.destroy();
        };
        await Promise.all(Array.from({ length: 10 }, (_, id) => client(id)));
      },
      status: 0,
      replays: REPLAYS,
      work: dir,
    });
    check(result, dir);
  });

  test('nginx, master and two workers, keep-alive connections', { timeout: TIMEOUT_MS }, async (context) => {
    const [nginx] = needs(context, 'nginx') as [string];
    const port = await freePort();
    const dir = join(work.dir, String(port));
    const result = await serverCycle({
      argv: (tmp) => {
        mkdirSync(join(tmp, 'html'), { recursive: true });
        writeFileSync(join(tmp, 'html/index.html'), '<p>small</p>\n');
        writeFileSync(join(tmp, 'html/large.bin'), Buffer.alloc(300_000, 'abcdefgh'));
        copyFileSync(join(tmp, 'html/index.html'), join(tmp, 'html/second.html'));
        writeFileSync(
          join(tmp, 'nginx.conf'),
          `daemon off; worker_processes 2; pid nginx.pid; error_log error.log info; ${asRoot ? 'user root;' : ''}
          events { worker_connections 64; }
          http {
            sendfile on; keepalive_timeout 30; access_log access.log;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            server { listen 127.0.0.1:${port}; root html; location /status { return 200 "pid $pid time $msec\\n"; } }
          }\n`,
        );
        return [nginx, '-p', `${tmp}/`, '-c', 'nginx.conf', '-e', 'error.log'];
      },
      port,
      drive: async () => {
        const agent = new Agent({ keepAlive: true, maxSockets: 8 });
        const fetchOne = (path: string): Promise<{ status: number; length: number }> =>
          new Promise((resolve, reject) => {
            get({ host: '127.0.0.1', port, path, agent }, (response) => {
              let length = 0;
              response.on('data', (chunk: Buffer) => (length += chunk.length));
              response.on('end', () => resolve({ status: response.statusCode ?? 0, length }));
              response.on('error', reject);
            }).on('error', reject);
          });
        const paths = ['/', '/large.bin', '/status', '/missing', '/second.html'];
        const replies = await Promise.all(Array.from({ length: 200 }, (_, i) => fetchOne(paths[i % paths.length]!)));
        agent.destroy();
        replies.forEach((reply, i) => {
          expect(reply.status).toBe(i % paths.length === 3 ? 404 : 200);
          if (i % paths.length === 1) expect(reply.length).toBe(300_000);
        });
      },
      status: 0,
      replays: REPLAYS,
      work: dir,
    });
    check(result, dir);
  });
});
