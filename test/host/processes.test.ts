// Daemons as processes, killed and frozen; commands as a user types them. The data plane is the fake one: what is tested is
// everything above it. Needs the compiled tree (dist/), as all commands do.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { SERVICE_EXAMPLE } from '../../controller/config/service-config.js';
import { freePort } from '../coordinator/free-port.js';
import { until } from '../coordinator/contract.js';

const root = resolve(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'understudy-hosts-'));
const env = { ...process.env, NO_COLOR: '1', UNDERSTUDY_RUN_DIR: join(dir, 'run') };
const children = new Map<string, ChildProcess>();
const logs = new Map<string, string>();

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const done = spawnSync(process.execPath, [join(root, 'dist/cli/start.js'), ...args], {
    cwd: dir,
    env,
    encoding: 'utf8',
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

function start(name: string, args: string[]): void {
  const child = spawn(process.execPath, args, { cwd: dir, env, stdio: ['ignore', 'ignore', 'pipe'] });
  children.set(name, child);
  logs.set(name, '');
  child.stderr.on('data', (chunk: Buffer) => logs.set(name, logs.get(name)! + chunk.toString()));
}

async function end(name: string, signal: NodeJS.Signals): Promise<number | null> {
  const child = children.get(name);
  if (child === undefined) return null;
  children.delete(name);
  const over = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  child.kill(signal);
  return await over;
}

const startDaemon = (name: string): void => start(name, [join(root, 'dist/test/host/fake-daemon.js'), `${name}.yaml`]);
const answers = (name: string): boolean => run('host', 'status', '--daemon', name).code === 0;

function output(host: string, service: string): number[] {
  const path = join(dir, host, 'services', service, 'output.log');
  return existsSync(path)
    ? readFileSync(path, 'utf8')
        .trim()
        .split('\n')
        .map((line) => Number(line.split(' ')[1]))
    : [];
}

function state(host: string, service: string): string {
  const listed = run('list', '--json', '--daemon', host);
  if (listed.code !== 0) return listed.err;
  return JSON.parse(listed.out).services.find((row: { service: string }) => row.service === service)?.state;
}

let n = 0;
function define(): string {
  const name = `s${++n}`;
  writeFileSync(
    join(dir, `${name}.yaml`),
    `name: ${name}\ncommand: [server]\nhosts: [{ name: a }, { name: b }]\nstopGraceMs: 100\nreinstate: { auto: false }\n`,
  );
  return name;
}

beforeAll(async () => {
  expect(run('host', 'key', 'pair.key')).toMatchObject({ code: 0 });
  const ports = { a: await freePort(), b: await freePort(), w: await freePort() };
  for (const [name, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    writeFileSync(
      join(dir, `${name}.yaml`),
      `name: ${name}
key: pair.key
stateDir: ${name}
control: { address: 127.0.0.1, port: ${ports[name]} }
peers: [{ name: ${other}, address: 127.0.0.1, port: ${ports[other]} }]
coordinator: { driver: embedded, endpoints: ['127.0.0.1:${ports.w}'] }
detection: { heartbeatMs: 20, deadlineMs: 600, leaseMs: 400 }
`,
    );
    expect(run('host', 'check', `${name}.yaml`)).toMatchObject({ code: 0, err: '' });
  }
  start('witness', [
    join(root, 'dist/cli/start.js'),
    'witness',
    'start',
    '-l',
    `127.0.0.1:${ports.w}`,
    '-d',
    'witness',
    '-k',
    'pair.key',
  ]);
});
beforeEach(async () => {
  for (const name of ['a', 'b']) if (!children.has(name)) startDaemon(name);
  await until('both daemons', () => answers('a') && answers('b'), 20_000);
});
afterAll(async () => {
  for (const name of [...children.keys()].reverse()) await end(name, 'SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

/** What clients saw: everything once, in order, from the old primary and then from the new one. */
function expectContinued(service: string): void {
  const before = output('a', service);
  const after = output('b', service);
  expect(before.length).toBeGreaterThan(0);
  expect(after.length).toBeGreaterThan(0);
  expect(before).toEqual(before.map((_, i) => i + 1));
  // The fake does not make what was held back again: at most a gap, and never something twice.
  expect(after[0]).toBeGreaterThan(before.at(-1)!);
  expect(after).toEqual(after.map((_, i) => after[0]! + i));
}

describe('hosts', () => {
  it('a daemon that is killed: its backup goes on; started again, it finds itself replaced', async () => {
    const s = define();
    expect(run('service', 'apply', `${s}.yaml`, '--daemon', 'b').out).toBe(`${s} runs on a, epoch 1, protected by b\n`);
    await until('output', () => output('a', s).length > 5);
    await end('a', 'SIGKILL');
    await until('the takeover', () => state('b', s) === 'unprotected');
    await until('output there', () => output('b', s).length > 5);
    expectContinued(s);
    startDaemon('a');
    await until('the daemon to be back', () => answers('a'), 20_000);
    const listed = run('list', '--daemon', 'a');
    expect(listed.out).toMatch(new RegExp(`${s} +active-active +b +- +- `));
    expect(run('failover', s, '--daemon', 'a')).toMatchObject({ code: 80, out: '' });
    const explained = run('explain', s, '--daemon', 'a');
    expect(explained.out).toMatch(/a -> b, epoch 2/);
    for (const stage of ['detect', 'fence', 'claim', 'epoch', 'drain', 'repair', 'vip', 'live'])
      expect(explained.out).toContain(stage);
    expect(run('service', 'stop', s, '--daemon', 'a')).toMatchObject({ code: 0, out: `${s} is stopped\n` });
  });

  it('a daemon that hangs: it comes back fenced, and has let out nothing meanwhile', async () => {
    const s = define();
    expect(run('service', 'apply', `${s}.yaml`, '--daemon', 'a').code).toBe(0);
    await until('output', () => output('a', s).length > 5);
    const frozen = children.get('a')!;
    frozen.kill('SIGSTOP');
    await until('the takeover', () => state('b', s) === 'unprotected');
    await until('output there', () => output('b', s).length > 5);
    frozen.kill('SIGCONT');
    await until('the fence', () => state('a', s) === 'fenced');
    expectContinued(s);
    expect(run('service', 'history', s, '--daemon', 'a').out).toMatch(
      / a {2}fenced, everything here is stopped: b is its primary/,
    );
  });

  it('SIGTERM hands over what is protected', async () => {
    const s = define();
    expect(run('service', 'apply', `${s}.yaml`, '--daemon', 'a').code).toBe(0);
    await until('output', () => output('a', s).length > 5);
    expect(await end('a', 'SIGTERM')).toBe(0);
    expect(existsSync(join(dir, 'a/control.sock'))).toBe(false);
    await until('the takeover', () => state('b', s) === 'unprotected');
    await until('output there', () => output('b', s).length > 5);
    expectContinued(s);
  });

  it('a backup that is killed: the primary goes on, and says that it is alone', async () => {
    const s = define();
    expect(run('service', 'apply', `${s}.yaml`, '--daemon', 'a').code).toBe(0);
    await end('b', 'SIGKILL');
    await until('word of it', () => state('a', s) === 'unprotected');
    expect(run('list', '--daemon', 'a').out).toMatch(/unprotected.* all\n[^]*b is lost/);
    await until('a loud word in the log', () => logs.get('a')!.includes(`error ${s}: UNPROTECTED`));
  });
});

describe('moves', () => {
  it('switchover and reinstate, there and back again', () => {
    const s = define();
    expect(run('service', 'apply', `${s}.yaml`, '--daemon', 'a').code).toBe(0);
    const dry = run('switchover', s, '--dry-run', '--daemon', 'b');
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.out).toMatch(/^ok {6}hosts .*\n(ok .*\n)+.* could move from a to b now; nothing was changed\n$/);
    const moved = run('switchover', s, '--daemon', 'a');
    expect(moved).toMatchObject({ code: 0, err: '' });
    expect(moved.out).toMatch(/ok {6}hand-over .*\nok {6}live .*\n.* moved from a to b, epoch 2, in \d+ ms\n$/);
    expectContinued(s);
    expect(run('switchover', s, '--daemon', 'a')).toMatchObject({ code: 80, out: '' });
    const back = run('reinstate', s, '--daemon', 'a');
    expect(back.out).toMatch(/is protected by a again, epoch 3, after /);
    expect(back.code).toBe(0);
    expect(run('reinstate', s, '--daemon', 'a').err).toMatch(/a protects it already/);
    const json = run('switchover', s, '--json', '--daemon', 'b');
    expect(JSON.parse(json.out)).toMatchObject({ state: 'done', from: 'b', to: 'a', epoch: 4 });
    expect(JSON.parse(run('reinstate', s, '--json', '--to', 'b', '--daemon', 'b').out)).toMatchObject({
      primary: 'a',
      backup: 'b',
      epoch: 5,
    });
    const planned = run('switchover', s, '--at', '+2h', '--daemon', 'b');
    expect(planned.out).toMatch(/moves from a to b at 20.*, if all checks pass then\n$/);
    expect(run('list', '--daemon', 'a').out).toMatch(/a switchover to b is scheduled for 20/);
    expect(run('switchover', s, '--cancel', '--daemon', 'b').out).toMatch(/is called off\n$/);
    expect(run('switchover', s, '--at', 'teatime', '--daemon', 'b').code).toBe(64);
  });

  it('Ctrl-C before the commit point calls a switchover off', async () => {
    const s = define();
    expect(run('service', 'apply', `${s}.yaml`, '--daemon', 'a').code).toBe(0);
    children.get('a')!.kill('SIGWINCH');
    const child = spawn(process.execPath, [join(root, 'dist/cli/start.js'), 'switchover', s, '--daemon', 'a'], {
      cwd: dir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const over = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    await until('the checks before the last', () => out.includes('protected'));
    child.kill('SIGINT');
    expect(await over).toBe(80);
    expect(err).toMatch(/was called off: asked for\n {2}Nothing was changed/);
    expect(state('a', s)).toBe('protected');
  });
});

describe('commands', () => {
  it('say which daemon they mean', () => {
    const ambiguous = run('list');
    expect(ambiguous.code).toBe(64);
    expect(ambiguous.err).toMatch(/2 daemons run .*\n.*--daemon a or --daemon b/);
    expect(run('list', '--daemon', 'nobody')).toMatchObject({ code: 68 });
    expect(run('list', '--host', 'nowhere').code).toBe(64);
    const port = /port: (\d+)/.exec(readFileSync(join(dir, 'a.yaml'), 'utf8'))![1]!;
    expect(run('host', 'status', '--host', `127.0.0.1:${port}`, '--key', 'pair.key').out).toMatch(/^host +a /);
    expect(run('host', 'key', 'other.key').code).toBe(0);
    const stranger = run('host', 'status', '--host', `127.0.0.1:${port}`, '--key', 'other.key');
    expect(stranger.code).toBe(68);
    expect(stranger.err).toMatch(/refused the key/);
  });

  it('print examples that their checks accept', () => {
    writeFileSync(join(dir, 'example.yaml'), run('service', 'example').out);
    expect(run('service', 'example').out).toBe(SERVICE_EXAMPLE);
    expect(run('service', 'check', 'example.yaml').out).toBe('example.yaml: ok (service orders on host-a, host-b)\n');
    writeFileSync(join(dir, 'bad.yaml'), SERVICE_EXAMPLE.replace('prefix: 24', 'prefix: 240'));
    const bad = run('service', 'check', 'bad.yaml');
    expect(bad).toMatchObject({ code: 65, out: '' });
    expect(bad.err).toMatch(/bad\.yaml:11: 'vip.prefix' must be <= 128/);
    expect(JSON.parse(run('service', 'apply', 'bad.yaml', '--json', '--daemon', 'a').err).error).toMatchObject({
      code: 'E_CONFIG',
    });
  });

  it('show what a service wrote', async () => {
    const s = define();
    expect(run('service', 'apply', `${s}.yaml`, '--daemon', 'a').code).toBe(0);
    await until('output', () => output('a', s).length > 2);
    expect(run('service', 'logs', s, '--daemon', 'a').out).toContain(`${s} 2\n`);
    expect(run('service', 'logs', 'nobody', '--daemon', 'a').code).toBe(67);
  });
});
