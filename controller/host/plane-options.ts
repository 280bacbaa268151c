// What the data plane is told of a service: its definition, this host's configuration, and a fresh place for the journal.
//
// Invariant: what the guest can see of it is the same on every host.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import type { HostConfig } from '../config/host-config.js';
import type { ServiceConfig } from '../config/service-config.js';
import type { PairKeys } from '../wire/key.js';
import type { PlaneOptions } from './data-plane.js';
import { ownStorage } from './own-storage.js';
import { lookUpUser } from './users.js';

/** Journals of earlier starts that are kept beside the current one, for looking into. */
const OLD_JOURNALS_KEPT = 2;

export interface PlaneSources {
  config: ServiceConfig;
  host: HostConfig;
  keys: PairKeys;
  /** The service's own directory here. */
  dir: string;
}

export const outputPathOf = (dir: string): string => join(dir, 'output.log');

export function planeOptions({ config, host, keys, dir }: PlaneSources, epoch: number): PlaneOptions {
  const own = config.hosts.find(({ name }) => name === host.name);
  return {
    service: config.name,
    argv: config.command,
    env: Object.entries(config.environment).map(([name, value]) => `${name}=${value}`),
    cwd: config.workingDirectory,
    ...(config.user === undefined ? {} : { user: lookUpUser(config.user) }),
    // The same on every host: the guest must not see where it is.
    hostname: config.name,
    ...(config.vip === undefined ? {} : { vip: { ...config.vip, interface: own?.interface ?? config.vip.interface } }),
    tcpPorts: config.ports.tcp,
    udpPorts: config.ports.udp,
    storage: config.storage,
    ownStorage: ownStorage(config),
    namespaces: config.namespaces,
    rpo: config.rpo,
    outputCommit: config.outputCommit,
    inputGate: config.inputGate,
    lagMax: config.lag,
    ...(config.checkpoint === undefined ? {} : { passive: { checkpointEveryMs: config.checkpoint.everyMs } }),
    epoch,
    journalDir: newJournalDir(dir, epoch),
    outputPath: outputPathOf(dir),
    mirror: {
      provider: host.dataPlane.provider,
      encryption: host.dataPlane.encryption,
      key: keys.mirror,
      ...host.detection,
    },
    ringBytes: host.dataPlane.ringBytes,
    segmentBytes: host.dataPlane.segmentBytes,
  };
}

function newJournalDir(dir: string, epoch: number): string {
  const parent = join(dir, 'journals');
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const name = (n: number, attempt: number): string => `${String(n).padStart(8, '0')}.${attempt}`;
  const old = readdirSync(parent).sort();
  for (const surplus of old.slice(0, Math.max(0, old.length - OLD_JOURNALS_KEPT))) {
    rmSync(join(parent, surplus), { recursive: true, force: true });
  }
  for (let attempt = 0; ; attempt++) {
    if (old.includes(name(epoch, attempt))) continue;
    const path = join(parent, name(epoch, attempt));
    mkdirSync(path, { mode: 0o700 });
    return path;
  }
}
