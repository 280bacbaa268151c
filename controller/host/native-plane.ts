// The real data plane: the addon's pairs, as the interface of data-plane.ts.
//
// Invariants:
//  - The numbers of packet queues belong to one service each; this daemon is the only one in its network namespace that uses them.
//  - What a service needs to be cleaned up after a crash is on disk before anything of it is installed.
//
// Must not: decide what an event means.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

import type { Isolation } from '../../native/index.js';
import {
  cleanService,
  startBackup,
  startPrimary,
  type NativeBackup,
  type NativeLossKind,
  type NativeNetwork,
  type NativePrimary,
} from '../../native/pair.js';
import { toUnderstudyError } from '../native-errors.js';
import { agentPath, cacheDir, initPath, stubPath } from '../paths.js';
import type { LossKind } from '../pair/model.js';
import {
  NO_STATS,
  type BackupOptions,
  type BackupPlane,
  type BackupPlaneEvent,
  type DataPlane,
  type PlaneOptions,
  type PlaneStats,
  type PrimaryOptions,
  type PrimaryPlane,
  type PrimaryPlaneEvent,
  type TimelineStage,
} from './data-plane.js';

const FIRST_QUEUE = 20_000;
const KICK_AFTER_MS = 2;
const SIGTERM = 15;
const SIGKILL = 9;

export function nativePlane(stateDir: string): DataPlane {
  const queues = new Map<string, number>();
  const left = join(stateDir, 'network');

  const networkOf = (options: PlaneOptions): NativeNetwork | undefined => {
    if (options.vip === undefined) return undefined;
    let first = queues.get(options.service);
    if (first === undefined) {
      first = FIRST_QUEUE + 2 * queues.size;
      queues.set(options.service, first);
    }
    const network = {
      service: options.service,
      vip: options.vip.address,
      prefix: options.vip.prefix,
      interface: options.vip.interface,
      tcpPorts: options.tcpPorts,
      udpPorts: options.udpPorts,
      outward: true,
      queueIn: first,
      queueOut: first + 1,
      leaseMs: options.mirror.leaseMs,
      flows: options.inputGate === 'acknowledgement',
    };
    mkdirSync(left, { recursive: true, mode: 0o700 });
    writeFileSync(join(left, `${options.service}.json`), JSON.stringify(network));
    return network;
  };

  return {
    startPrimary: (options, onEvent) => {
      const network = networkOf(options);
      const to = forwardTo(options, options.backup?.address);
      if (network !== undefined && to !== undefined) network.forwardTo = to;
      return primaryPlane(options, network, onEvent);
    },
    startBackup: (options, onEvent) => backupPlane(options, networkOf(options), onEvent),
    cleanLeftovers: () => {
      const found: string[] = [];
      let names: string[] = [];
      try {
        names = readdirSync(left);
      } catch {
        // Nothing has ever been started here.
      }
      for (const name of names) {
        const network = JSON.parse(readFileSync(join(left, name), 'utf8')) as NativeNetwork;
        if (cleanService(network)) found.push(`the address ${network.vip} of ${network.service}`);
        rmSync(join(left, name));
      }
      return Promise.resolve(found);
    },
  };
}

function isolationOf(options: PlaneOptions): Isolation {
  return {
    initPath: initPath(),
    ...options.namespaces,
    hostname: options.hostname,
    binds: options.storage.flatMap(({ path, source }) =>
      source === undefined || source === path ? [] : [{ source, target: path }],
    ),
    ...(options.user === undefined ? {} : { user: { ...options.user, groups: [...options.user.groups] } }),
  };
}

function sharedPathsOf(options: PlaneOptions): string[] {
  return options.storage.filter((rule) => rule.class === 'shared').map((rule) => rule.path);
}

function common(options: PlaneOptions, network: NativeNetwork | undefined) {
  return {
    journalDir: options.journalDir,
    cacheDir: cacheDir(),
    agentPath: agentPath(),
    outputPath: options.outputPath,
    ringBytes: options.ringBytes,
    segmentBytes: options.segmentBytes,
    epoch: options.epoch,
    kickAfterMs: KICK_AFTER_MS,
    isolation: isolationOf(options),
    durable: options.outputCommit === 'durable',
    ...(network === undefined ? {} : { network }),
  };
}

function mirrorOf(options: PlaneOptions, at: { address: string; port: number }) {
  const { provider, encryption, key, heartbeatMs, deadlineMs } = options.mirror;
  return { provider, encryption, key, heartbeatMs, deadlineMs, ...at, service: options.service, epoch: options.epoch };
}

/**
 * Where clients' packets are sent on to when this host is not the primary any more. A packet is sent on as it is: to a neighbour of its
 * own kind. Where the hosts know each other by addresses of the other kind, what arrives here after a takeover is dropped, and its
 * senders repeat it.
 */
function forwardTo({ vip }: PlaneOptions, to: string | undefined): string | undefined {
  return vip !== undefined && to !== undefined && isIP(to) === isIP(vip.address) ? to : undefined;
}

/** What the bytes on the mirror turn out not to be is the mirror's error. */
const lossKind = (kind: NativeLossKind): LossKind => (kind === 'corrupt' ? 'error' : kind);

function mapped<T>(call: () => T, command?: string): T {
  try {
    return call();
  } catch (error) {
    throw toUnderstudyError(error, command);
  }
}

class Ending {
  private done!: () => void;
  readonly ended = new Promise<void>((resolve) => (this.done = resolve));
  over = false;
  finish(): void {
    this.over = true;
    this.done();
  }
}

function primaryPlane(
  options: PrimaryOptions,
  network: NativeNetwork | undefined,
  onEvent: (event: PrimaryPlaneEvent) => void,
): PrimaryPlane {
  const ending = new Ending();
  let closed = false;
  const say = (event: PrimaryPlaneEvent): void => {
    if (!closed) onEvent(event);
  };
  let grace: NodeJS.Timeout | undefined;
  const native: NativePrimary = mapped(
    () =>
      startPrimary(
        {
          ...common(options, network),
          argv: options.argv,
          env: options.env,
          cwd: options.cwd,
          sharedPaths: sharedPathsOf(options),
          rpoMs: options.rpo.ms,
          rpoBytes: options.rpo.bytes,
          ...(options.backup === undefined ? {} : { mirror: mirrorOf(options, options.backup) }),
        },
        (event) => {
          switch (event.type) {
            case 'ended':
              return ending.finish();
            case 'guestEnded':
              clearTimeout(grace);
              return say({ type: 'guestEnded', status: event.status, expected: !event.killed });
            case 'mirror':
              if (event.state === 'connected') return say({ type: 'mirror', state: 'connected' });
              return say({ type: 'mirror', state: 'lost', kind: lossKind(event.kind), reason: event.reason });
            case 'guestLost':
              return say({ type: 'guestLost', signal: event.signal });
            case 'attached':
              return;
            case 'stateSent':
              return say({ type: 'state', sentBytes: event.bytes, totalBytes: event.total });
            default:
              return say(event);
          }
        },
      ),
    options.argv[0],
  );
  return {
    stats: () => {
      if (ending.over) return NO_STATS;
      const s = native.stats();
      return {
        ...NO_STATS,
        events: s.events,
        bytes: s.appendedBytes,
        receivedBytes: s.heldBytes,
        lagEvents: s.lagEvents,
        lagBytes: s.mirror === undefined ? 0 : s.mirror.appended - s.mirror.applied,
        lagMs: s.lagMs,
        rpoBytes: s.rpoBytes,
        rpoMs: s.rpoMs,
        processes: s.processes,
        threads: s.threads,
        stored: s.stored ?? null,
      };
    },
    ...attaching(options, native, options.backup !== undefined),
    fence: (reason, release) => {
      native.fence(reason, release);
      return Promise.resolve();
    },
    stop: (graceMs) => {
      native.kill(SIGTERM);
      grace ??= setTimeout(() => native.kill(SIGKILL), graceMs);
    },
    kill: () => native.kill(SIGKILL),
    close: async () => {
      closed = true;
      if (!ending.over) native.kill(SIGKILL);
      await ending.ended;
    },
  };
}

/** How a running group gets a new backup: the same for one that was started here and one that was taken over. */
function attaching(
  options: PlaneOptions,
  native: NativePrimary | NativeBackup,
  hasBackup: boolean,
): Pick<PrimaryPlane, 'attachBackup' | 'protect' | 'detachBackup' | 'goUnprotected'> {
  const alone = (): void => {
    if (hasBackup) native.goUnprotected();
    hasBackup = false;
  };
  return {
    attachBackup: ({ address, port, epoch }) => {
      mapped(() =>
        native.attachBackup(
          {
            ...mirrorOf({ ...options, epoch }, { address, port }),
            ...options.passive,
            storage: options.ownStorage,
          },
          forwardTo(options, address),
        ),
      );
      hasBackup = true;
    },
    protect: () => mapped(() => native.protect()),
    detachBackup: alone,
    goUnprotected: alone,
  };
}

function backupPlane(
  options: BackupOptions,
  network: NativeNetwork | undefined,
  onEvent: (event: BackupPlaneEvent) => void,
): BackupPlane {
  const ending = new Ending();
  let closed = false;
  let onLive: ((event: PrimaryPlaneEvent) => void) | undefined;
  let takeover: { resolve: (timeline: TimelineStage[]) => void; reject: (error: Error) => void } | undefined;
  const say = (event: BackupPlaneEvent): void => {
    if (!closed) onEvent(event);
  };
  const scratchDir = join(options.journalDir, 'scratch');
  mkdirSync(scratchDir, { recursive: true });
  const native: NativeBackup = mapped(() =>
    startBackup(
      {
        ...common(options, network),
        stubPath: stubPath(),
        scratchDir,
        sharedPaths: sharedPathsOf(options),
        mirror: mirrorOf(options, options.listen),
        lagBytesMax: options.lagMax.bytes,
        fromCheckpoint: options.fromCheckpoint,
        storage: options.ownStorage,
        passive: options.passive !== undefined,
      },
      (event) => {
        switch (event.type) {
          case 'ended':
            ending.finish();
            takeover?.reject(new Error('the replica has ended'));
            return;
          case 'live':
            takeover?.resolve(event.timeline);
            return;
          case 'takeoverFailed':
            takeover?.reject(new Error(event.reason));
            return;
          case 'guestEnded':
            if (event.live) onLive?.({ type: 'guestEnded', status: event.status, expected: true });
            else say({ type: 'guestEnded', status: event.status, expected: event.expected });
            return;
          case 'journalError':
          case 'firstByte':
          case 'synchronised':
          case 'attachFailed':
          case 'protected':
            onLive?.(event);
            return;
          case 'attached':
            return;
          case 'stateSent':
            onLive?.({ type: 'state', sentBytes: event.bytes, totalBytes: event.total });
            return;
          case 'guestLost':
            onLive?.({ type: 'guestLost', signal: event.signal });
            return;
          case 'mirror':
            if (event.state === 'connected') onLive?.({ type: 'mirror', state: 'connected' });
            else onLive?.({ type: 'mirror', state: 'lost', kind: lossKind(event.kind), reason: event.reason });
            return;
          case 'message':
            if (onLive === undefined) say(event);
            else onLive(event);
            return;
          case 'lost':
            return say({ ...event, kind: lossKind(event.kind) });
          default:
            return say(event);
        }
      },
    ),
  );
  const close = async (): Promise<void> => {
    closed = true;
    onLive = undefined;
    if (!ending.over) native.kill(SIGKILL);
    await ending.ended;
  };
  const stats = (): PlaneStats => {
    if (ending.over) return NO_STATS;
    const s = native.stats();
    return {
      ...NO_STATS,
      events: s.live ? s.appliedEvents : s.events,
      bytes: s.fedBytes,
      receivedBytes: s.fedBytes,
      appliedBytes: s.appliedBytes,
      lagEvents: s.live ? 0 : s.events - s.appliedEvents,
      lagBytes: s.live ? 0 : s.fedBytes - s.appliedBytes,
      connections: s.network?.connections ?? 0,
      stored: s.stored ?? null,
    };
  };
  let grace: NodeJS.Timeout | undefined;
  void ending.ended.then(() => clearTimeout(grace));
  return {
    port: native.port,
    stats,
    stopAcknowledging: () => native.stopAcknowledging('this host takes over'),
    takeOver: async (epoch, onPrimaryEvent) => {
      onLive = onPrimaryEvent;
      const timeline = await new Promise<TimelineStage[]>((resolve, reject) => {
        takeover = { resolve, reject };
        native.takeOver(epoch);
      });
      const primary: PrimaryPlane = {
        stats,
        ...attaching(options, native, false),
        fence: (reason, release) => {
          native.fence(reason, release);
          return Promise.resolve();
        },
        stop: (graceMs) => {
          native.kill(SIGTERM);
          grace ??= setTimeout(() => native.kill(SIGKILL), graceMs);
        },
        kill: () => native.fence('killed', false),
        close,
      };
      return { primary, timeline };
    },
    close,
  };
}
