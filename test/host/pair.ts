// Two daemons and a witness on this machine, with the fake data plane: in this process, so that tests can reach into them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readHostConfig } from '../../controller/config/host-config.js';
import { ConfigSource } from '../../controller/config/source.js';
import { serviceConfig, type ServiceConfig } from '../../controller/config/service-config.js';
import { Witness } from '../../controller/coordinator/witness.js';
import type { ApplyAnswer, ListAnswer, ServiceRow } from '../../controller/host/api.js';
import { askDaemon } from '../../controller/host/client.js';
import { HostDaemon } from '../../controller/host/daemon.js';
import { readPairKeys, writeNewKey } from '../../controller/wire/key.js';
import { freePort } from '../coordinator/free-port.js';
import { FakePlane } from './fake-plane.js';

export type HostName = 'a' | 'b' | 'c';

export class TestPair {
  readonly dir = mkdtempSync(join(tmpdir(), 'understudy-pair-'));
  readonly planes: Record<HostName, FakePlane> = { a: new FakePlane(), b: new FakePlane(), c: new FakePlane() };
  readonly daemons: Partial<Record<HostName, HostDaemon>> = {};
  readonly logs: Record<HostName, string[]> = { a: [], b: [], c: [] };
  readonly failStops: string[] = [];
  witness: Witness | undefined;
  private ports: Record<HostName | 'witness', number> = { a: 0, b: 0, c: 0, witness: 0 };

  private constructor(
    private readonly names: readonly HostName[],
    private readonly more: Partial<Record<HostName, string>>,
  ) {}

  /** `more`: further lines of a host's configuration. */
  static async start(
    names: readonly HostName[] = ['a', 'b'],
    more: Partial<Record<HostName, string>> = {},
  ): Promise<TestPair> {
    const pair = new TestPair(names, more);
    process.env['UNDERSTUDY_RUN_DIR'] = join(pair.dir, 'run');
    writeNewKey(join(pair.dir, 'key'));
    pair.ports = { a: await freePort(), b: await freePort(), c: await freePort(), witness: await freePort() };
    for (const name of names) writeFileSync(pair.configFile(name), pair.configText(name));
    await pair.startWitness();
    for (const name of names) await pair.startDaemon(name);
    return pair;
  }

  configFile(name: HostName): string {
    return join(this.dir, `${name}.yaml`);
  }

  configText(name: HostName): string {
    const peers = this.names
      .filter((other) => other !== name)
      .map((other) => `{ name: ${other}, address: 127.0.0.1, port: ${this.ports[other]} }`);
    return [
      `name: ${name}`,
      'key: key',
      `stateDir: state-${name}`,
      `control: { address: 127.0.0.1, port: ${this.ports[name]} }`,
      `peers: [${peers.join(', ')}]`,
      `coordinator: { driver: embedded, endpoints: ['127.0.0.1:${this.ports.witness}'] }`,
      // The fake heartbeats with timers of a busy test machine.
      'detection: { heartbeatMs: 20, deadlineMs: 1000, leaseMs: 500 }',
      ...(this.more[name] === undefined ? [] : [this.more[name]]),
      '',
    ].join('\n');
  }

  async startWitness(): Promise<void> {
    this.witness = await Witness.open(join(this.dir, 'witness'));
    const key = readPairKeys(join(this.dir, 'key')).control;
    await this.witness.listen(
      { address: '127.0.0.1', port: this.ports.witness, key },
      { name: 'witness', product: 'test' },
      () => undefined,
    );
  }

  async stopWitness(): Promise<void> {
    await this.witness?.close();
    this.witness = undefined;
  }

  async startDaemon(name: HostName): Promise<HostDaemon> {
    this.planes[name] = new FakePlane();
    const daemon = await HostDaemon.start({
      config: readHostConfig(this.configFile(name)),
      plane: this.planes[name],
      log: (level, text) => this.logs[name].push(`${level} ${text}`),
      failStop: (reason) => this.failStops.push(reason),
    });
    this.daemons[name] = daemon;
    return daemon;
  }

  async stopDaemon(name: HostName): Promise<void> {
    await this.daemons[name]?.stop();
    delete this.daemons[name];
  }

  ask<T>(name: HostName, method: string, params?: unknown): Promise<T> {
    return askDaemon<T>({ daemon: join(this.dir, `state-${name}`, 'control.sock') }, method, params, 20_000);
  }

  apply(name: HostName, config: ServiceConfig): Promise<ApplyAnswer> {
    return this.ask(name, 'service.apply', { config });
  }

  async row(name: HostName, service: string): Promise<ServiceRow | undefined> {
    const { services } = await this.ask<ListAnswer>(name, 'service.list');
    return services.find((row) => row.service === service);
  }

  /** Polls until the row is as wanted. */
  async untilRow(name: HostName, service: string, test: (row: ServiceRow) => boolean, ms = 8_000): Promise<ServiceRow> {
    for (const end = Date.now() + ms; ;) {
      const row = await this.row(name, service);
      if (row !== undefined && test(row)) return row;
      if (Date.now() > end)
        throw new Error(
          `${name}: ${JSON.stringify(row)}\n${this.names.map((each) => this.logs[each].join('\n')).join('\n--\n')}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Whether the host's plane of this service could let out something now. */
  releases(name: HostName, service: string): number {
    return this.planes[name].primaries.filter(
      (p) => p.options.service === service && !p.fenced && !p.closed && (p.unprotected || p.held > 0),
    ).length;
  }

  async end(): Promise<void> {
    for (const name of [...this.names].reverse()) await this.stopDaemon(name);
    await this.stopWitness();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export function service(name: string, over = ''): ServiceConfig {
  return serviceConfig(
    ConfigSource.parse(
      'test.yaml',
      `name: ${name}\ncommand: [server]\n${
        over.includes('hosts:') ? '' : 'hosts: [{ name: a, priority: 2 }, { name: b, priority: 1 }]\n'
      }${over.includes('reinstate:') ? '' : 'reinstate: { auto: false }\n'}${over}`,
    ),
  );
}
