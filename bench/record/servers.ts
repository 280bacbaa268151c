// Servers under a closed-loop load: what one operation costs the guest, and how many there are in a second.
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, journalOf, runToEnd, startServer, tool, understudy, type Server } from './guest.js';
import { scaled, type Bench, type Metric, type Values, type Workload } from './model.js';

interface Load {
  id: string;
  label: string;
  cpuGoal?: number;
  rateGoal?: number;
  /** Puts the load on the server; returns operations done and the rate, as the load generator counts it. */
  drive(bench: Bench, port: number): Promise<{ operations: number; perSecond: number }>;
}

function metricsOf(load: Load): Metric[] {
  const { id, label } = load;
  const most = (bound?: number) => bound !== undefined && { goal: { of: 'ratio', at: 'most', bound } as const };
  const least = (bound?: number) => bound !== undefined && { goal: { of: 'ratio', at: 'least', bound } as const };
  return [
    { id: `${id}.cpu`, label: `${label}: CPU per operation, guest`, unit: 'µs', ...most(load.cpuGoal) },
    { id: `${id}.cpuAll`, label: `${label}: CPU per operation, guest + recorder`, unit: 'µs' },
    { id: `${id}.rate`, label: `${label}: throughput`, unit: 'op/s', ...least(load.rateGoal) },
  ];
}

async function measure(server: Server, load: Load, bench: Bench, port: number): Promise<Values> {
  const before = server.usage();
  const { operations, perSecond } = await load.drive(bench, port);
  const after = server.usage();
  const guest = after.guestNs - before.guestNs;
  const all = guest + after.besidesNs - before.besidesNs;
  return {
    [`${load.id}.cpu`]: guest / operations / 1e3,
    [`${load.id}.cpuAll`]: all / operations / 1e3,
    [`${load.id}.rate`]: perSecond,
  };
}

interface ServerKind {
  name: string;
  load: string;
  needs: string[];
  comm: string;
  command(bench: Bench, port: number): string[];
  loads: Load[];
  /** The load whose events' size in the journal is reported. */
  bytesOf?: { load: string; label: string; bound: number };
}

function serverWorkload(kind: ServerKind): Workload {
  const metrics = kind.loads.flatMap(metricsOf);
  if (kind.bytesOf) {
    const { label, bound } = kind.bytesOf;
    metrics.push({
      id: `${kind.name}.bytes`,
      label,
      unit: 'B',
      only: 'recorded',
      goal: { of: 'value', at: 'most', bound },
    });
  }
  metrics.push({ id: `${kind.name}.session`, label: `${kind.name}: whole session`, unit: 's' });
  metrics.push(replayMetric(kind.name, `${kind.name}.session`, true));
  return {
    name: kind.name,
    load: kind.load,
    needs: kind.needs,
    metrics,
    async run(mode, bench) {
      const port = await freePort();
      const server = await startServer(mode, bench, kind.comm, port, kind.command(bench, port));
      const values: Values = {};
      for (const load of kind.loads) {
        const counted = mode === 'recorded' && kind.bytesOf?.load === load.id;
        const before = counted ? await settledBytes(bench) : 0;
        const operations = { count: 0 };
        const counting: Load = {
          ...load,
          async drive(b, p) {
            const result = await load.drive(b, p);
            operations.count = result.operations;
            return result;
          },
        };
        Object.assign(values, await measure(server, counting, bench, port));
        if (counted) values[`${kind.name}.bytes`] = ((await settledBytes(bench)) - before) / operations.count;
      }
      const seconds = (await server.stop()) / 1e9;
      // Not under strace, where the load is smaller.
      if (mode !== 'strace') values[`${kind.name}.session`] = seconds;
      if (mode === 'recorded') values[`${kind.name}.replay`] = await replaySeconds(bench);
      return values;
    },
  };
}

/** Wall time of a replay. Its ratio is to the native run that it stands for, start-up of the command included. */
export const replayMetric = (name: string, base: string, ioBound: boolean): Metric => ({
  id: `${name}.replay`,
  label: `${name}: replay`,
  unit: 's',
  only: 'recorded',
  base,
  ...(ioBound && { goal: { of: 'ratio', at: 'most', bound: 1 } as const }),
});

export async function replaySeconds(bench: Bench, journal = journalOf(bench)): Promise<number> {
  const { wallNs } = await runToEnd(bench, understudyReplay(bench, journal));
  return wallNs / 1e9;
}

/** The status of a replay is the guest's, and a server that got SIGTERM may have any: what counts is that there was no divergence. */
function understudyReplay(bench: Bench, journal: string): string[] {
  const [file, ...args] = understudy(bench, 'replay', '--quiet', journal);
  return [
    'sh',
    '-c',
    '"$@"; status=$?; case $status in 0|143) exit 0 ;; *) exit $status ;; esac',
    'sh',
    file!,
    ...args,
  ];
}

/**
 * Bytes of the journal's segments after the pump has caught up. A server is never quite idle (redis has timers), so there is no
 * moment at which they stop growing; what an idle half second adds does not matter beside the load.
 */
async function settledBytes(bench: Bench): Promise<number> {
  await sleep(500);
  return segmentBytes(journalOf(bench));
}

export function segmentBytes(journal: string): number {
  const folder = join(journal, 'segments');
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

// ---- redis -------------------------------------------------------------------------------------------------------------

function redisLoad(command: 'set' | 'get', pipeline: number): Load {
  const label = `redis ${command.toUpperCase()}, ${pipeline === 1 ? 'no pipeline' : `-P ${pipeline}`}`;
  return {
    id: `redis.${command}.p${pipeline}`,
    label,
    cpuGoal: 1.05,
    rateGoal: 0.95,
    async drive(bench, port) {
      const operations = scaled(bench.loopScale, pipeline === 1 ? 200_000 : 1_600_000);
      const args = ['-p', port, '-c', 50, '-n', operations, '-P', pipeline, '-t', command, '--csv'].map(String);
      const { stdout } = await runToEnd(bench, ['redis-benchmark', ...args]);
      const rate = new RegExp(`^"${command.toUpperCase()}","([0-9.]+)"`, 'm').exec(stdout)?.[1];
      if (rate === undefined) throw new Error(`redis-benchmark said something unexpected:\n${stdout}`);
      return { operations, perSecond: Number(rate) };
    },
  };
}

const redis = serverWorkload({
  name: 'redis',
  load: 'redis-benchmark -c 50: 200,000 SET and GET each without pipeline, 1.6 million each with -P 16; save "", appendonly no',
  needs: ['redis-server', 'redis-benchmark'],
  comm: 'redis-server',
  command: (bench, port) =>
    ['redis-server', '--port', `${port}`, '--save', '', '--appendonly', 'no', '--dir', bench.dir] as string[],
  loads: [redisLoad('set', 1), redisLoad('get', 1), redisLoad('set', 16), redisLoad('get', 16)],
  bytesOf: { load: 'redis.set.p1', label: 'redis SET, no pipeline: journal bytes per request', bound: 200 },
});

// ---- nginx -------------------------------------------------------------------------------------------------------------

const nginx = serverWorkload({
  name: 'nginx',
  load: 'nginx with one worker, wrk -t 1 -c 32 for 5 s on a file of 612 bytes, keep-alive, no access log',
  needs: ['nginx', 'wrk'],
  comm: 'nginx',
  command(bench, port) {
    mkdirSync(join(bench.dir, 'www'), { recursive: true });
    writeFileSync(join(bench.dir, 'www', 'index.html'), 'x'.repeat(612));
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const config = `
      ${process.getuid?.() === 0 ? 'user root;' : ''}
      worker_processes 1;
      daemon off;
      pid ${bench.dir}/nginx.pid;
      error_log ${bench.dir}/error.log;
      events { worker_connections 512; }
      http {
        access_log off;
        sendfile on;
        keepalive_requests 100000000;
        ${paths.map((p) => `${p}_temp_path ${bench.dir}/${p};`).join('\n        ')}
        server { listen 127.0.0.1:${port}; root ${bench.dir}/www; }
      }`;
    const file = join(bench.dir, 'nginx.conf');
    writeFileSync(file, config);
    return ['nginx', '-p', bench.dir, '-e', join(bench.dir, 'error.log'), '-c', file];
  },
  loads: [
    {
      id: 'nginx',
      label: 'nginx',
      cpuGoal: 1.1,
      rateGoal: 0.93,
      async drive(bench, port) {
        const seconds = Math.max(1, Math.round(5 * bench.scale));
        const url = `http://127.0.0.1:${port}/index.html`;
        const { stdout } = await runToEnd(bench, ['wrk', '-t', '1', '-c', '32', '-d', `${seconds}s`, url]);
        const operations = Number(/(\d+) requests in/.exec(stdout)?.[1]);
        const perSecond = Number(/Requests\/sec:\s*([0-9.]+)/.exec(stdout)?.[1]);
        if (!(operations > 0 && perSecond > 0) || /Non-2xx|Socket errors/.test(stdout)) {
          throw new Error(`wrk reports errors:\n${stdout}`);
        }
        return { operations, perSecond };
      },
    },
  ],
});

// ---- memcached -----------------------------------------------------------------------------------------------------------

// Four threads and one, since the difference of the two ratios is the baton's share: with one worker nobody contends.
function memcached(threads: number): Workload {
  const id = `memcached-t${threads}`;
  return serverWorkload({
    name: id,
    load: `memcached -t ${threads}, 50 connections, 300,000 requests, nine gets to one set of 100 bytes`,
    needs: ['memcached'],
    comm: 'memcached',
    command: (_bench, port) => {
      const user = process.getuid?.() === 0 ? ['-u', 'root'] : [];
      return ['memcached', '-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-t', `${threads}`, ...user];
    },
    loads: [
      {
        id,
        label: `memcached, ${threads} thread${threads === 1 ? '' : 's'}`,
        async drive(bench, port) {
          const args = [port, 50, scaled(bench.loopScale, 300_000)].map(String);
          const { stdout } = await runToEnd(bench, [tool(bench, 'memload'), ...args]);
          const { operations, ns } = JSON.parse(stdout) as { operations: number; ns: number };
          return { operations, perSecond: operations / (ns / 1e9) };
        },
      },
    ],
  });
}

export const serverWorkloads: Workload[] = [redis, nginx, memcached(4), memcached(1)];
