// Two hosts, a witness and a client as network namespaces at one bridge, on this machine: what the campaign plays its failures on.
//
// Invariants:
//  - Everything of one rig carries its name; close() removes it, whatever state it is in, and is safe to call twice.
//  - A rig is used for one run: nothing of a failure is left for the next.
//
// Must not: know what is measured.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplyAnswer, ExplainAnswer, HistoryAnswer, ListAnswer } from '../../controller/host/api.js';
import { askDaemon } from '../../controller/host/client.js';
import { writeNewKey } from '../../controller/wire/key.js';
import { messageOf } from '../../journal/src/errors.js';

export const root = resolve(import.meta.dirname, '../../..');
export const toolPath = (name: string) => join(root, 'build/bench/tools', name);

export const places = ['a', 'b', 'c', 'w'] as const;
export type Place = (typeof places)[number];
export type Host = 'a' | 'b';

export const SERVICE = 'orders';
export const PORT = 6379;
const STOP_MS = 3_000;

function shell(script: string): void {
  const { status, stderr } = spawnSync('sh', ['-e'], { input: script, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the namespaces could not be made: ${stderr.trim()}`);
}

export interface RigOptions {
  name: string;
  dir: string;
  /** The middle of the addresses, 10.N.0.x. */
  net: number;
  detection?: { heartbeatMs: number; deadlineMs: number; leaseMs: number };
}

export class Rig {
  readonly vip: string;
  private readonly children = new Map<string, ChildProcess>();
  private closed = false;

  constructor(private readonly options: RigOptions) {
    this.vip = this.address(100);
    const { name: n, dir } = options;
    mkdirSync(dir, { recursive: true });
    const lines = [`ip netns add ${n}net`, `ip -n ${n}net link add br0 type bridge`, `ip -n ${n}net link set br0 up`];
    places.forEach((p, i) => {
      lines.push(
        `ip netns add ${n}${p}`,
        `ip link add eth0 netns ${n}${p} type veth peer name v${p} netns ${n}net`,
        `ip -n ${n}net link set v${p} master br0 up`,
        `ip -n ${n}${p} link set lo up`,
        `ip -n ${n}${p} link set eth0 up`,
        `ip -n ${n}${p} addr add ${this.address(i + 1)}/24 dev eth0`,
      );
    });
    try {
      shell(lines.join('\n'));
    } catch (error) {
      this.removeNamespaces();
      throw error;
    }
    const key = join(dir, 'pair.key');
    writeNewKey(key);
    for (const host of ['a', 'b'] as const) {
      const other = host === 'a' ? 'b' : 'a';
      writeFileSync(
        join(dir, `host-${host}.yaml`),
        JSON.stringify({
          name: `host-${host}`,
          key,
          stateDir: this.stateDir(host),
          control: { address: this.addressOf(host), port: 7400 },
          peers: [{ name: `host-${other}`, address: this.addressOf(other), port: 7400 }],
          coordinator: { driver: 'embedded', endpoints: [`${this.addressOf('w')}:7399`] },
          ...(options.detection === undefined ? {} : { detection: options.detection }),
        }),
      );
    }
  }

  private address(last: number): string {
    return `10.${this.options.net}.0.${last}`;
  }
  addressOf(place: Place): string {
    return this.address(places.indexOf(place) + 1);
  }
  stateDir(host: Host): string {
    return join(this.options.dir, `state-${host}`);
  }
  netns(place: Place | 'net'): string {
    return `${this.options.name}${place}`;
  }
  hardwareAddress(place: Place): string {
    const run = spawnSync('ip', ['netns', 'exec', this.netns(place), 'cat', '/sys/class/net/eth0/address'], { encoding: 'utf8' });
    return run.stdout.trim();
  }

  // ---- Processes -----------------------------------------------------------------------------------------------------

  /** A program in one of the namespaces, its output in a file of the rig's folder unless it is piped. */
  start(place: Place, label: string, argv: string[], piped = false): ChildProcess {
    const log = openSync(join(this.options.dir, `${label}.log`), 'a');
    const child = spawn('ip', ['netns', 'exec', this.netns(place), ...argv], {
      stdio: [piped ? 'pipe' : 'ignore', piped ? 'pipe' : log, log],
      env: { ...process.env, UNDERSTUDY_RUN_DIR: join(this.options.dir, 'run') },
    });
    closeSync(log);
    this.children.set(label, child);
    return child;
  }

  private understudy(place: Place, label: string, ...args: string[]): ChildProcess {
    return this.start(place, label, [process.execPath, '--no-warnings', join(root, 'dist/cli/main.js'), ...args]);
  }

  startWitness(): void {
    const { dir } = this.options;
    this.understudy('w', 'witness', 'witness', 'start', '-l', `${this.addressOf('w')}:7399`, '-d', join(dir, 'witness'), '-k', join(dir, 'pair.key'));
  }

  startDaemon(host: Host): void {
    this.understudy(host, `daemon-${host}`, 'host', 'start', '--config', join(this.options.dir, `host-${host}.yaml`));
  }

  /** Resolves when both daemons know each other and the coordinator. */
  async untilReady(timeoutMs = 15_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (const host of ['a', 'b'] as const) {
      for (;;) {
        let why: string;
        try {
          const { host: status } = await this.list(host);
          if (status.coordinator.reachable && status.peers.every((p) => p.connected)) break;
          why = 'it has not found the others';
        } catch (error) {
          why = messageOf(error);
        }
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

  /** The processes in a namespace. A scan of /proc: tens of milliseconds. */
  pids(place: Place): number[] {
    const run = spawnSync('ip', ['netns', 'pids', this.netns(place)], { encoding: 'utf8' });
    return run.stdout.split('\n').filter(Boolean).map(Number);
  }

  /** Those of them that execute this program. */
  pidsOf(host: Host, program: string): number[] {
    return this.pids(host).filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`).endsWith(`/${program}`) || readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program.slice(0, 15);
      } catch {
        return false; // gone meanwhile
      }
    });
  }

  // ---- Links ---------------------------------------------------------------------------------------------------------

  /** nft rules at the bridge's side of the hosts' links; what they drop is lost on the wire. */
  cut(rules: string): void {
    const { status, stderr } = spawnSync('ip', ['netns', 'exec', this.netns('net'), 'nft', '-f', '-'], { input: rules, encoding: 'utf8' });
    if (status !== 0) throw new Error(`the link could not be cut: ${stderr.trim()}`);
  }
  mend(): void {
    spawnSync('ip', ['netns', 'exec', this.netns('net'), 'nft', 'delete', 'table', 'netdev', 'cut']);
  }

  // ---- Questions to a daemon -----------------------------------------------------------------------------------------

  private ask<T>(host: Host, method: string, params: unknown, timeoutMs?: number): Promise<T> {
    return askDaemon<T>({ daemon: join(this.stateDir(host), 'control.sock') }, method, params, timeoutMs);
  }
  list(host: Host): Promise<ListAnswer> {
    return this.ask(host, 'service.list', {}, 5_000);
  }
  apply(host: Host, config: unknown): Promise<ApplyAnswer> {
    return this.ask(host, 'service.apply', { config }, 60_000);
  }
  failover(host: Host): Promise<unknown> {
    return this.ask(host, 'service.failover', { service: SERVICE, force: false }, 15_000);
  }
  explain(host: Host): Promise<ExplainAnswer> {
    return this.ask(host, 'service.explain', { service: SERVICE, here: true }, 5_000);
  }
  history(host: Host): Promise<HistoryAnswer> {
    return this.ask(host, 'service.history', { service: SERVICE, limit: 100, here: true }, 5_000);
  }

  // ---- End -----------------------------------------------------------------------------------------------------------

  private removeNamespaces(): void {
    for (const place of [...places, 'net'] as const) spawnSync('ip', ['netns', 'del', this.netns(place)], { stdio: 'ignore' });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const gone = [...this.children.values()].map(
      (child) => new Promise<void>((done) => (child.exitCode !== null || child.signalCode !== null ? done() : child.once('exit', () => done()))),
    );
    // Guests are bound to their daemons and die with them; a fence that the benchmark is about is not asked to clean up.
    for (let round = 0; round < 3; round++) {
      const pids = places.flatMap((place) => this.pids(place));
      if (pids.length === 0) break;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone by itself.
        }
      }
      await sleep(5);
    }
    await Promise.race([Promise.all(gone), sleep(STOP_MS)]);
    this.removeNamespaces();
  }
}
