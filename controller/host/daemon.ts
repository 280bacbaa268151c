// The host daemon: one process per host, for as long as its services are to run.
//
// Start-up, in this order:
//  1. keys and state directory: nothing can be done without them;
//  2. the store: its lock says that no other daemon works with this directory;
//  3. leftovers of a daemon that crashed are removed, before anything new could be mistaken for them;
//  4. coordinator and peers: connections begin to be made;
//  5. services of earlier: watched, so that their records are known when somebody asks;
//  6. only then doors are opened: the Unix socket, then the network.
//
// Must not: resurrect. What ran here ended with the daemon before; who goes on is the coordinator's record's to say.
import { chmodSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { messageOf, UnderstudyError } from '../../journal/src/errors.js';
import { parseEndpoint, type HostConfig } from '../config/host-config.js';
import type { Coordinator } from '../coordinator/coordinator.js';
import { EtcdCoordinator } from '../coordinator/etcd.js';
import { SERVICE_NAME_PATTERN, HOST_NAME_PATTERN } from '../coordinator/record.js';
import { WitnessClient } from '../coordinator/witness-client.js';
import { productVersion } from '../paths.js';
import { readPairKeys } from '../wire/key.js';
import { dispatcher, method, objectSchema } from '../wire/methods.js';
import type { PeerIdentity } from '../wire/peer.js';
import { listenControl, listenUnix, type ControlServer, type Log } from '../wire/server.js';
import type { HostStatus } from './api.js';
import type { PrepareFrom } from '../pair/model.js';
import type { DataPlane } from './data-plane.js';
import { PeerDirectory } from './peers.js';
import { Services } from './services.js';
import { daemonLinkPath, socketPath } from './sockets.js';
import { HostStore } from './store.js';

export interface DaemonOptions {
  config: HostConfig;
  plane: DataPlane;
  log: Log;
  /** Ends the process at once: what it holds dies with it. */
  failStop: (reason: string) => void;
}

function openCoordinator(config: HostConfig, key: Buffer, identity: PeerIdentity): Coordinator {
  if (config.coordinator.driver === 'etcd') return new EtcdCoordinator(config.coordinator.endpoints);
  const at = parseEndpoint(config.coordinator.endpoints[0]!)!;
  return new WitnessClient({ ...at, key }, identity);
}

export class HostDaemon {
  private readonly startedAt = new Date().toISOString();
  private coordinatorState = { reachable: false, reason: 'not connected yet' };
  private servers: ControlServer[] = [];
  private link: string | undefined;

  private constructor(
    private readonly options: DaemonOptions,
    private readonly store: HostStore,
    private readonly coordinator: Coordinator,
    private readonly peers: PeerDirectory,
    private readonly services: Services,
  ) {
    coordinator.onReachable((reachable, reason) => {
      if (this.coordinatorState.reachable !== reachable)
        options.log(
          reachable ? 'info' : 'error',
          reachable
            ? `the coordinator answers (${coordinator.description})`
            : `the coordinator cannot be reached (${coordinator.description}): ${reason}. Services go on as they are; no role can change hands`,
        );
      this.coordinatorState = { reachable, reason };
      if (reachable) services.coordinatorIsBack();
    });
  }

  static async start(options: DaemonOptions): Promise<HostDaemon> {
    const { config, plane, log } = options;
    const keys = readPairKeys(config.key);
    try {
      mkdirSync(config.stateDir, { recursive: true, mode: 0o700 });
      // Journals hold the memory of programs.
      chmodSync(config.stateDir, 0o700);
    } catch (error) {
      throw new UnderstudyError('E_CONFIG', `the state directory cannot be made: ${messageOf(error)}`, {
        hint: "Check 'stateDir' and its permissions.",
        cause: error,
      });
    }
    const store = await HostStore.open(join(config.stateDir, 'store'), (error) =>
      log('error', `the daemon's store cannot be written: ${messageOf(error)}`),
    );
    for (const text of await plane.cleanLeftovers(config.stateDir))
      log('warning', `left by an earlier daemon, removed: ${text}`);
    const identity: PeerIdentity = { name: config.name, product: `understudy ${productVersion()}` };
    const coordinator = openCoordinator(config, keys.control, identity);
    const peers = new PeerDirectory(config.peers, keys.control, identity, log);
    const services = new Services(
      {
        host: config,
        keys,
        coordinator,
        plane,
        store,
        askPeer: (host, name, params, timeoutMs) => peers.ask(host, name, params, timeoutMs),
        log,
        failStop: options.failStop,
      },
      peers,
    );
    const daemon = new HostDaemon(options, store, coordinator, peers, services);
    try {
      await services.load();
      await daemon.listen(identity, keys.control);
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return daemon;
  }

  get socket(): string {
    return socketPath(this.options.config.stateDir);
  }

  status(): HostStatus {
    return {
      name: this.options.config.name,
      product: `understudy ${productVersion()}`,
      pid: process.pid,
      startedAt: this.startedAt,
      coordinator: { description: this.coordinator.description, ...this.coordinatorState },
      peers: this.peers.list(),
    };
  }

  /** Hands over what is protected, stops the rest, and leaves nothing behind. */
  async stop(): Promise<void> {
    await this.services.shutdown();
    if (this.link !== undefined) rmSync(this.link, { force: true });
    for (const server of this.servers) await server.close();
    this.peers.close();
    await this.coordinator.close();
    await this.store.close();
  }

  private async listen(identity: PeerIdentity, key: Buffer): Promise<void> {
    const { config, log } = this.options;
    const handlers = { onRequest: this.methods() };
    this.servers.push(await listenUnix(this.socket, identity, handlers, log));
    this.servers.push(await listenControl({ ...config.control, key }, identity, handlers, log));
    const link = daemonLinkPath(config.name);
    try {
      mkdirSync(join(link, '..'), { recursive: true });
      rmSync(link, { force: true });
      symlinkSync(this.socket, link);
      this.link = link;
    } catch (error) {
      log('info', `commands need --daemon ${this.socket}: ${messageOf(error)}`);
    }
  }

  private methods(): ReturnType<typeof dispatcher> {
    const service = { type: 'string', pattern: SERVICE_NAME_PATTERN };
    const here = { type: 'boolean' };
    const force = { type: 'boolean' };
    const limit = { type: 'integer', minimum: 1, maximum: 5000 };
    const config = { type: 'object' };
    const epoch = { type: 'integer', minimum: 1 };
    const host = { type: 'string', pattern: HOST_NAME_PATTERN };
    const { services } = this;
    const attempt = { type: 'integer', minimum: 1 };
    type Prepare = { config: unknown; epoch: number; primary: string; from: PrepareFrom; attempt: number };
    type Named = { service: string; here?: boolean; force?: boolean };
    return dispatcher({
      'host.status': method(objectSchema({}), () => this.status()),
      'service.list': method(objectSchema({}), () => services.list(this.status())),
      'service.apply': method(objectSchema({ config, here }, ['here']), (p: { config: unknown; here?: boolean }) =>
        services.apply(p.config, p.here === true),
      ),
      'service.failover': method(objectSchema({ service, force, here }, ['force', 'here']), (p: Named) =>
        services.failover(p.service, p.force === true, p.here === true),
      ),
      'service.row': method(objectSchema({ service, here }, ['here']), (p: Named) =>
        services.row(p.service, p.here === true),
      ),
      'service.reinstate': method(
        objectSchema({ service, to: host, here }, ['to', 'here']),
        (p: Named & { to?: string }) => services.reinstate(p.service, p.to, p.here === true),
      ),
      'service.switchover': method(
        objectSchema({ service, to: host, atMs: { type: 'integer' }, dryRun: { type: 'boolean' }, here }, [
          'to',
          'atMs',
          'dryRun',
          'here',
        ]),
        (p: Named & { to?: string; atMs?: number; dryRun?: boolean }) =>
          services.switchover(p.service, p.to, { dryRun: p.dryRun === true, atMs: p.atMs }, p.here === true),
      ),
      'service.switchover-status': method(objectSchema({ service, on: host }, ['on']), (p: Named & { on?: string }) =>
        services.switchoverStatus(p.service, p.on),
      ),
      'service.switchover-cancel': method(objectSchema({ service, on: host }, ['on']), (p: Named & { on?: string }) =>
        services.callSwitchoverOff(p.service, p.on),
      ),
      'host.facts': method(objectSchema({ config }), (p: { config: unknown }) => services.facts(p.config)),
      'service.stop': method(objectSchema({ service, force, here }, ['force', 'here']), (p: Named) =>
        services.stop(p.service, p.force === true, p.here === true),
      ),
      'service.remove': method(objectSchema({ service, here }, ['here']), (p: Named) =>
        services.remove(p.service, p.here === true),
      ),
      'service.explain': method(objectSchema({ service, here }, ['here']), (p: Named) =>
        services.explain(p.service, p.here === true),
      ),
      'service.history': method(objectSchema({ service, limit, here }, ['here']), (p: Named & { limit: number }) =>
        services.history(p.service, p.limit, p.here === true),
      ),
      'service.logs': method(
        objectSchema({ service, offset: { type: 'integer', minimum: -(1 << 20) } }),
        (p: { service: string; offset: number }) => services.logs(p.service, p.offset),
      ),
      'pair.prepare': method(
        objectSchema({ config, epoch, primary: host, from: { enum: ['start', 'checkpoint'] }, attempt }),
        ({ config: given, ...wanted }: Prepare) => services.prepare(given, wanted),
      ),
      'pair.cancel': method(
        objectSchema({ service, epoch, attempt }),
        (p: { service: string; epoch: number; attempt: number }) => services.cancel(p.service, p.epoch, p.attempt),
      ),
    });
  }
}
