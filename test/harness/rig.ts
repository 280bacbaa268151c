// Hosts, a witness, a client and a bridge between them, as network namespaces of this machine: what scenarios, the demo and
// benchmarks of pairs play on.
//
// Invariants:
//  - Everything of one rig carries its name, and is gone when close() returns: processes, namespaces with their rules and addresses,
//    its folder. A maker that dies without close() is cleaned up after by the janitor, a process of its own.
//  - Only processes inside the rig's own namespaces are ever signalled.
//
// Must not: know what is tested or measured on it.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type {
  ApplyAnswer,
  ExplainAnswer,
  FailoverAnswer,
  HistoryAnswer,
  ListAnswer,
  ServiceRow,
} from '../../controller/host/api.js';
import { askDaemon } from '../../controller/host/client.js';
import { writeNewKey } from '../../controller/wire/key.js';
import { messageOf } from '../../journal/src/errors.js';
import { root, understudy } from './paths.js';

/** Hosts a and b, the client, the witness; host s, which only some rigs have. */
const places = ['a', 'b', 'c', 'w', 's'] as const;
export type Place = (typeof places)[number];
/** Of a pair. */
export type Host = 'a' | 'b';
export type AnyHost = Host | 's';
export const hosts: readonly Host[] = ['a', 'b'];
export const otherHost = (host: Host): Host => (host === 'a' ? 'b' : 'a');

export interface RigOptions {
  /** What the folder's name begins with. */
  label?: string;
  /** The rig's folder; it stays when the rig is closed. Without it there is one for the rig's time. */
  dir?: string;
  detection?: { heartbeatMs: number; deadlineMs: number; leaseMs: number };
  dataPlane?: Record<string, unknown>;
  /** The size of each host's state folder, which is a file system of its own then. */
  stateBytes?: number;
  /** A third host, s, that stands behind the other two. */
  standby?: boolean;
}

export interface RigProcess {
  pid: number;
  comm: string;
  /** In its innermost PID namespace. */
  innerPid: number;
}

const CONTROL_PORT = 7400;
const WITNESS_PORT = 7399;
const READY_TIMEOUT_MS = 20_000;
const APPLY_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 5_000;
const builtPath = join(root, 'dist/cli/start.js');

/** Why no rig can be made here; undefined: one can. */
export function whyNoRig(): string | undefined {
  if (process.platform !== 'linux') return 'Linux is needed';
  if (process.getuid?.() !== 0) return 'root is needed, for network namespaces';
  for (const tool of ['ip', 'nft', 'iptables', 'nsenter']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is not installed`;
  }
  const name = `us-probe-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (made.status !== 0) return `network namespaces cannot be made here: ${made.stderr.trim()}`;
  spawnSync('ip', ['netns', 'del', name]);
  if (!existsSync(builtPath)) return `${builtPath} is missing: scripts/setup builds it`;
  return undefined;
}

let made = 0;

export class Rig {
  readonly name = `us${process.pid}x${++made}`;
  readonly dir: string;
  readonly vip = '10.77.0.100';
  readonly vip6 = 'fd00:77::100';
  readonly hosts: readonly AnyHost[];
  private readonly places: readonly Place[];
  private readonly janitor: ChildProcess;
  private readonly janitorEnd: Promise<string>;
  private readonly children = new Map<string, ChildProcess>();
  private closing: Promise<void> | undefined;

  constructor(private readonly options: RigOptions = {}) {
    if (options.dir === undefined) this.dir = mkdtempSync(join(tmpdir(), `understudy-${options.label ?? 'rig'}-`));
    else mkdirSync((this.dir = options.dir), { recursive: true });
    this.hosts = options.standby === true ? [...hosts, 's'] : hosts;
    this.places = places.filter((place) => place !== 's' || this.hosts.includes(place));
    // Before there is anything to clean up.
    const names = [...this.places, 'net' as const].map((place) => this.netns(place));
    const mounts = options.stateBytes === undefined ? [] : this.hosts.map((host) => this.stateDir(host));
    this.janitor = spawn(
      'sh',
      [join(root, 'test/harness/janitor.sh'), options.dir === undefined ? this.dir : '', ...mounts, ...names],
      {
        cwd: '/',
        detached: true,
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    let said = '';
    this.janitor.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    this.janitorEnd = new Promise((resolve) => {
      this.janitor.on('error', (error) => resolve(messageOf(error)));
      this.janitor.on('close', (status) => resolve(status === 0 ? '' : `${said.trim()} (status ${status})`));
    });
    this.makeNetwork();
    this.writeConfigs();
    for (const path of mounts) this.mountState(path, options.stateBytes!);
  }

  /** A rig whose daemons and witness run and know each other. */
  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    try {
      await rig.startAll();
      return rig;
    } catch (error) {
      const logs = rig.logs();
      await rig.close();
      throw new Error(`${messageOf(error)}\n${logs}`, { cause: error });
    }
  }

  async startAll(): Promise<void> {
    this.startWitness();
    for (const host of this.hosts) this.startDaemon(host);
    await this.untilReady();
  }

  private makeNetwork(): void {
    const net = this.netns('net');
    const lines = [`ip netns add ${net}`, `ip -n ${net} link add br0 type bridge`, `ip -n ${net} link set br0 up`];
    for (const place of this.places) {
      const ns = this.netns(place);
      lines.push(
        `ip netns add ${ns}`,
        `ip link add eth0 netns ${ns} type veth peer name v${place} netns ${net}`,
        `ip -n ${net} link set v${place} master br0 up`,
        `ip -n ${ns} link set lo up`,
        `ip -n ${ns} link set eth0 up`,
        `ip -n ${ns} addr add ${this.addressOf(place)}/24 dev eth0`,
        // Not to be looked for on the link first, which takes a second.
        `ip -n ${ns} addr add fd00:77::${places.indexOf(place) + 1}/64 dev eth0 nodad`,
      );
    }
    const { status, stderr } = spawnSync('sh', ['-e'], { input: lines.join('\n'), encoding: 'utf8' });
    if (status !== 0) {
      this.janitor.stdin!.end();
      throw new Error(`the namespaces could not be made: ${stderr.trim()}`);
    }
  }

  private mountState(path: string, bytes: number): void {
    mkdirSync(path, { recursive: true });
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, this.name, path], {
      encoding: 'utf8',
    });
    if (status === 0) return;
    this.janitor.stdin!.end();
    throw new Error(`no file system could be made for ${path}: ${stderr.trim()}`);
  }

  private writeConfigs(): void {
    const key = join(this.dir, 'pair.key');
    writeNewKey(key);
    mkdirSync(this.ownDir, { recursive: true });
    for (const host of this.hosts) {
      const { detection, dataPlane } = this.options;
      const config = {
        name: `host-${host}`,
        key,
        stateDir: this.stateDir(host),
        control: { address: this.addressOf(host), port: CONTROL_PORT },
        peers: this.hosts
          .filter((other) => other !== host)
          .map((other) => ({ name: `host-${other}`, address: this.addressOf(other), port: CONTROL_PORT })),
        coordinator: { driver: 'embedded', endpoints: [`${this.addressOf('w')}:${WITNESS_PORT}`] },
        ...(detection === undefined ? {} : { detection }),
        ...(dataPlane === undefined ? {} : { dataPlane }),
      };
      mkdirSync(this.ownDirOf(host), { recursive: true });
      // JSON is YAML.
      writeFileSync(join(this.dir, `host-${host}.yaml`), `${JSON.stringify(config, undefined, 2)}\n`);
    }
  }

  addressOf(place: Place): string {
    return `10.77.0.${places.indexOf(place) + 1}`;
  }
  stateDir(host: AnyHost): string {
    return join(this.dir, `state-${host}`);
  }
  /** A directory that each host has of its own, at the same path. */
  get ownDir(): string {
    return join(this.dir, 'own');
  }
  /** That of one host, as everybody else sees it. */
  ownDirOf(host: AnyHost): string {
    return join(this.dir, `own-${host}`);
  }
  /** A file in the rig's folder, which is where its programs run. */
  write(name: string, text: string): void {
    writeFileSync(join(this.dir, name), text);
  }
  netns(place: Place | 'net'): string {
    return `${this.name}-${place}`;
  }
  hardwareAddress(place: Place): string {
    const { stdout } = spawnSync('ip', ['-json', '-n', this.netns(place), 'link', 'show', 'eth0'], {
      encoding: 'utf8',
    });
    return (JSON.parse(stdout) as { address: string }[])[0]!.address;
  }

  // ---- Processes -----------------------------------------------------------------------------------------------------

  /** The command line that runs a program in one of the namespaces. */
  inside(place: Place | 'net', argv: readonly string[]): string[] {
    // `ip netns exec` would make a mount namespace, too: what daemons do there is to be what they do anywhere.
    return ['nsenter', `--net=/run/netns/${this.netns(place)}`, ...argv];
  }

  /** A program in one of the namespaces; its output goes to LABEL.log in the rig's folder, or its input and output are the caller's. */
  spawn(
    place: Place | 'net',
    label: string,
    argv: readonly string[],
    io: 'log' | 'pipes' | 'ipc' = 'log',
  ): ChildProcess {
    const log = openSync(join(this.dir, `${label}.log`), 'a');
    const [program, ...args] = this.inside(place, argv);
    const child = spawn(program!, args, {
      cwd: this.dir,
      stdio: io === 'pipes' ? ['pipe', 'pipe', log] : ['ignore', log, log, ...(io === 'ipc' ? (['ipc'] as const) : [])],
      env: this.env,
    });
    closeSync(log);
    // Whoever waits for what it should have done finds the reason there.
    child.on('error', (error) => writeFileSync(join(this.dir, `${label}.log`), `${messageOf(error)}\n`, { flag: 'a' }));
    this.children.set(label, child);
    return child;
  }

  get env(): NodeJS.ProcessEnv {
    return { ...process.env, NO_COLOR: '1', UNDERSTUDY_RUN_DIR: join(this.dir, 'run') };
  }

  /** Runs a program in one of the namespaces to its end. */
  run(
    place: Place | 'net',
    argv: readonly string[],
    input?: string,
  ): { status: number | null; out: string; err: string } {
    const [program, ...args] = this.inside(place, argv);
    const done = spawnSync(program!, args, {
      cwd: this.dir,
      env: this.env,
      encoding: 'utf8',
      ...(input === undefined ? {} : { input }),
    });
    return { status: done.status, out: done.stdout, err: done.stderr };
  }

  /** As a user of that host would type it. */
  understudy(host: AnyHost, ...args: string[]): { status: number | null; out: string; err: string } {
    return this.run(host, [understudy, ...args, '--daemon', `host-${host}`]);
  }

  startWitness(): void {
    const listen = `${this.addressOf('w')}:${WITNESS_PORT}`;
    const argv = [
      understudy,
      'witness',
      'start',
      '-l',
      listen,
      '-d',
      join(this.dir, 'witness'),
      '-k',
      join(this.dir, 'pair.key'),
    ];
    this.spawn('w', 'witness', argv);
  }

  startDaemon(host: AnyHost): void {
    // The hosts share this machine's files, but for one directory each.
    const own = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
    const daemon = [understudy, 'host', 'start', '--config', join(this.dir, `host-${host}.yaml`)];
    const ownMounts = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', own, 'sh'];
    this.spawn(host, `daemon-${host}`, [...ownMounts, this.ownDirOf(host), this.ownDir, ...daemon]);
  }

  /** Resolves when these daemons know each other and the coordinator. */
  async untilReady(which: readonly AnyHost[] = this.hosts): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (const host of which) {
      for (;;) {
        let why: string;
        try {
          const { host: status } = await this.list(host);
          if (status.coordinator.reachable && status.peers.every((p) => p.connected)) break;
          why = 'it has not found the others';
        } catch (error) {
          why = messageOf(error);
        }
        const child = this.children.get(`daemon-${host}`);
        if (child === undefined || child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the daemon of host ${host} has ended (${child?.signalCode ?? child?.exitCode})`);
        if (Date.now() > deadline) throw new Error(`the daemon of host ${host} is not ready: ${why}`);
        await sleep(10);
      }
    }
  }

  pidOf(label: string): number {
    const pid = this.children.get(label)?.pid;
    if (pid === undefined) throw new Error(`${label} was not started`);
    return pid;
  }

  /** The exit status of something that spawn() started; undefined while it runs. */
  async ended(label: string, timeoutMs: number): Promise<number | undefined> {
    const child = this.children.get(label);
    if (child === undefined) throw new Error(`${label} was not started`);
    const status = (): number | undefined => (child.signalCode !== null ? 128 : (child.exitCode ?? undefined));
    for (const deadline = Date.now() + timeoutMs; status() === undefined && Date.now() < deadline;) await sleep(5);
    return status();
  }

  /** The processes in a namespace. A scan of /proc: tens of milliseconds. */
  pids(place: Place): number[] {
    const { stdout } = spawnSync('ip', ['netns', 'pids', this.netns(place)], { encoding: 'utf8' });
    return stdout.split('\n').filter(Boolean).map(Number);
  }

  processes(place: Place): RigProcess[] {
    return this.pids(place).flatMap((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const inner = /^NSpid:.*?(\d+)$/m.exec(status)?.[1];
        return [{ pid, comm: readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), innerPid: Number(inner) }];
      } catch {
        return []; // Gone meanwhile.
      }
    });
  }

  /** Those that execute this program. A replica's processes have it as their name only. */
  pidsOf(place: Place, program: string): number[] {
    return this.processes(place)
      .filter(({ pid, comm }) => {
        if (comm === program.slice(0, 15)) return true;
        try {
          return readlinkSync(`/proc/${pid}/exe`).endsWith(`/${program}`);
        } catch {
          return false; // Gone meanwhile.
        }
      })
      .map(({ pid }) => pid);
  }

  /** All processes of a host at one moment. SIGSTOP is repeated until nothing has been forked behind its back. */
  signalAll(place: Place, signal: NodeJS.Signals): void {
    const done = new Set<number>();
    for (let more = true; more;) {
      more = false;
      for (const pid of this.pids(place)) {
        if (done.has(pid)) continue;
        done.add(pid);
        more = true;
        signalOne(pid, signal);
      }
    }
  }

  // ---- Links ---------------------------------------------------------------------------------------------------------

  /**
   * Loses what comes from a place, goes to it, or both, at the bridge's side of its link, so that the place itself sees no carrier change.
   * `match` narrows it, as an nft expression.
   */
  cut(place: Place, direction: 'from' | 'to' | 'both', match = ''): void {
    const chain = (
      hook: string,
    ): string => `add chain netdev cut ${hook}-v${place} { type filter hook ${hook} device v${place} priority 0; }
add rule netdev cut ${hook}-v${place} ${match} drop
`;
    const rules = `add table netdev cut
${direction === 'to' ? '' : chain('ingress')}${direction === 'from' ? '' : chain('egress')}`;
    const { status, err } = this.run('net', ['nft', '-f', '-'], rules);
    if (status !== 0) throw new Error(`the link could not be cut: ${err.trim()}`);
  }

  /** Only what two hosts say to each other is lost. */
  cutBetween(one: AnyHost, other: AnyHost): void {
    const address = this.addressOf(other);
    this.cut(one, 'from', `ip daddr ${address}`);
    this.cut(one, 'to', `ip saddr ${address}`);
  }

  mend(): void {
    const { status, err } = this.run('net', ['nft', 'delete', 'table', 'netdev', 'cut']);
    if (status !== 0) throw new Error(`the link could not be mended: ${err.trim()}`);
  }

  // ---- Questions to a daemon -----------------------------------------------------------------------------------------

  ask<T>(host: AnyHost, method: string, params: unknown, timeoutMs = 5_000): Promise<T> {
    return askDaemon<T>({ daemon: join(this.stateDir(host), 'control.sock') }, method, params, timeoutMs);
  }
  list(host: AnyHost): Promise<ListAnswer> {
    return this.ask(host, 'service.list', {});
  }
  async row(host: AnyHost, service: string): Promise<ServiceRow | undefined> {
    return (await this.list(host)).services.find((row) => row.service === service);
  }
  /** `config`: as in a service's file. */
  apply(host: AnyHost, config: unknown): Promise<ApplyAnswer> {
    return this.ask(host, 'service.apply', { config }, APPLY_TIMEOUT_MS);
  }
  stop(host: AnyHost, service: string): Promise<unknown> {
    return this.ask(host, 'service.stop', { service }, APPLY_TIMEOUT_MS);
  }
  failover(host: AnyHost, service: string, force = false): Promise<FailoverAnswer> {
    return this.ask(host, 'service.failover', { service, force }, 15_000);
  }
  explain(host: AnyHost, service: string): Promise<ExplainAnswer> {
    return this.ask(host, 'service.explain', { service, here: true });
  }
  history(host: AnyHost, service: string): Promise<HistoryAnswer> {
    return this.ask(host, 'service.history', { service, limit: 100, here: true });
  }

  /** What something that spawn() started has written so far. */
  log(label: string): string {
    const path = join(this.dir, `${label}.log`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** The end of what each of them has written, for the report of a failure. */
  logs(lines = 40): string {
    return [...this.children.keys()]
      .map((label) => [label, this.log(label).trimEnd().split('\n').slice(-lines).join('\n')])
      .filter(([, text]) => text !== '')
      .map(([label, text]) => `---- ${label}\n${text}`)
      .join('\n');
  }

  // ---- End -----------------------------------------------------------------------------------------------------------

  /** Asks the daemons to end, as an administrator would; what a crash test left is the janitor's. */
  async stopDaemons(): Promise<void> {
    for (const label of [...this.hosts.map((host) => `daemon-${host}`), 'witness']) {
      const child = this.children.get(label);
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await this.ended(label, END_TIMEOUT_MS);
    }
  }

  close(): Promise<void> {
    this.closing ??= (async () => {
      this.janitor.stdin!.end();
      const trouble = await this.janitorEnd;
      if (trouble !== '') throw new Error(`the rig ${this.name} was not removed: ${trouble}`);
    })();
    return this.closing;
  }
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It has ended as the consequence of another one's end.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
