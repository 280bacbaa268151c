// A service's definition: docs/schema/service.schema.json, with what a schema cannot say, and with defaults.
//
// Invariant: the result is plain data that means the same on every host: it travels from the daemon that was asked to the others.
import { isIP } from 'node:net';

import { ConfigSource } from './source.js';

export interface ServiceHost {
  name: string;
  priority: number;
  interface?: string;
}

export interface ServiceConfig {
  name: string;
  command: string[];
  environment: Record<string, string>;
  workingDirectory: string;
  /** Name or number; looked up on each host. Absent: as the daemon. */
  user?: string | number;
  mode: 'active-active' | 'active-passive';
  /** Of active-passive only. */
  checkpoint?: { everyMs: number };
  hosts: ServiceHost[];
  vip?: { address: string; prefix: number; interface: string };
  ports: { tcp: number[]; udp: number[] };
  storage: { path: string; class: 'unshared' | 'shared' | 'captured'; source?: string; snapshot?: string }[];
  rpo: { ms: number; bytes: number };
  outputCommit: 'received' | 'durable';
  inputGate: 'acknowledgement' | 'packet';
  lag: { events: number; bytes: number };
  onBackupLoss: 'continue' | 'stop';
  /** `unsharedAsIs`: a new backup goes on with the files that its host has; otherwise it gets the primary's. */
  reinstate: { auto: boolean; delayMs: number; backoffMaxMs: number; unsharedAsIs: boolean };
  stopGraceMs: number;
  namespaces: { pid: boolean; mount: boolean; ipc: boolean; uts: boolean };
}

type Given = Partial<Omit<ServiceConfig, 'reinstate' | 'checkpoint'>> &
  Pick<ServiceConfig, 'name' | 'command'> & {
    hosts: Partial<ServiceHost>[];
    reinstate?: Partial<ServiceConfig['reinstate']>;
    checkpoint?: { everyMs?: number };
  };

// A second is longer than a daemon needs that was only started again, and short beside the time without protection.
const REINSTATE = { auto: true, delayMs: 1_000, backoffMaxMs: 60_000, unsharedAsIs: false };
// What was executed within a second is executed again in less than that, mostly.
const CHECKPOINT = { everyMs: 1_000 };
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function readServiceConfig(file: string): ServiceConfig {
  return serviceConfig(ConfigSource.read(file));
}

export function serviceConfig(source: ConfigSource): ServiceConfig {
  const given = source.checked('service') as Given;
  const names = new Set<string>();
  const hosts = given.hosts.map((host, i): ServiceHost => {
    if (names.has(host.name)) source.add(['hosts', i, 'name'], `'${host.name}' is named twice`);
    names.add(host.name);
    // As listed, where no priority is given.
    return { ...host, name: host.name, priority: host.priority ?? 100 - i };
  });
  const ports = { tcp: given.ports?.tcp ?? [], udp: given.ports?.udp ?? [] };
  if (given.vip !== undefined) {
    const version = isIP(given.vip.address);
    if (version === 0) source.add(['vip', 'address'], `'${given.vip.address}' is no IP address`);
    if (version === 4 && given.vip.prefix > 32) source.add(['vip', 'prefix'], 'a prefix of IPv4 is at most 32');
    if (ports.tcp.length + ports.udp.length === 0) {
      source.add(['ports'], "'ports' is missing: which of the VIP's ports are protected? (ports: { tcp: [6379] })");
    }
  } else if (ports.tcp.length + ports.udp.length > 0) {
    source.add(['ports'], "'vip' is missing: ports are protected at an address that can move to the other host");
  }
  const seen = new Set<string>();
  (given.storage ?? []).forEach(({ path, class: kind, snapshot }, i) => {
    if (seen.has(path)) source.add(['storage', i, 'path'], `'${path}' is named twice`);
    if (snapshot !== undefined && kind !== 'unshared') {
      source.add(['storage', i, 'snapshot'], "'snapshot' is for storage of class 'unshared': nothing else is copied");
    }
    seen.add(path);
  });
  const rpo = { ms: 0, bytes: 0, ...given.rpo };
  if ((rpo.ms === 0) !== (rpo.bytes === 0)) {
    source.add(['rpo'], "'rpo' needs a bound in time and one in bytes; with one of them 0 nothing may be lost at all");
  }
  if (rpo.ms > 0 && given.outputCommit === 'durable') {
    source.add(['outputCommit'], "'outputCommit: durable' says that nothing may be lost, and 'rpo' that something may");
  }
  if (given.namespaces?.pid === false && hosts.length > 1) {
    source.add(['namespaces', 'pid'], 'a replica needs the same process ids as the primary: its own PID namespace');
  }
  const { delayMs, backoffMaxMs } = { ...REINSTATE, ...given.reinstate };
  if (backoffMaxMs < delayMs) {
    source.add(
      ['reinstate', 'backoffMaxMs'],
      `'reinstate.backoffMaxMs' (${backoffMaxMs}) must be at least 'reinstate.delayMs' (${delayMs})`,
    );
  }
  const mode = given.mode ?? 'active-active';
  if (mode === 'active-passive') checkPassive(source, given, hosts.length);
  else if (given.checkpoint !== undefined) {
    source.add(
      ['checkpoint'],
      "'checkpoint' is for 'mode: active-passive'; with active-active the replica executes all the time",
    );
  }
  source.finish();
  const environment = given.environment ?? {};
  return {
    name: given.name,
    command: given.command,
    environment: 'PATH' in environment ? environment : { PATH: DEFAULT_PATH, ...environment },
    workingDirectory: given.workingDirectory ?? '/',
    ...(given.user === undefined ? {} : { user: given.user }),
    mode,
    ...(mode === 'active-passive' ? { checkpoint: { ...CHECKPOINT, ...given.checkpoint } } : {}),
    hosts,
    ...(given.vip === undefined ? {} : { vip: given.vip }),
    ports,
    storage: given.storage ?? [],
    rpo,
    outputCommit: given.outputCommit ?? 'received',
    inputGate: given.inputGate ?? 'acknowledgement',
    lag: mode === 'active-passive' ? { events: 0, bytes: 0 } : { events: 0, bytes: 64 << 20, ...given.lag },
    onBackupLoss: given.onBackupLoss ?? 'continue',
    reinstate: { ...REINSTATE, ...given.reinstate },
    stopGraceMs: given.stopGraceMs ?? 10_000,
    namespaces: { pid: true, mount: true, ipc: true, uts: true, ...given.namespaces },
  };
}

function checkPassive(source: ConfigSource, given: Given, hosts: number): void {
  if (hosts < 2) source.add(['hosts'], "'mode: active-passive' needs another host, which keeps the state");
  (given.storage ?? []).forEach((rule, i) => {
    if (rule.class !== 'unshared') return;
    source.add(
      ['storage', i, 'class'],
      `'${rule.path}' cannot be 'unshared' with active-passive: a passive backup writes nothing, so its copy would be an old one at a takeover`,
    );
  });
  if (given.onBackupLoss === 'stop') {
    source.add(
      ['onBackupLoss'],
      "'onBackupLoss: stop' says that it never runs without a backup; a passive one begins with the state of a program that runs",
    );
  }
  if ((given.lag?.events ?? 0) > 0 || (given.lag?.bytes ?? 0) > 0) {
    source.add(
      ['lag'],
      "'lag' bounds how far a replica is behind that executes; a passive one does not (checkpoint.everyMs bounds what it has to catch up)",
    );
  }
}

/** The same, as it comes from another daemon: filled in already, checked again. */
export function receivedServiceConfig(value: unknown): ServiceConfig {
  // YAML is a superset of JSON: one check for both ways in.
  return serviceConfig(ConfigSource.parse('the service definition', JSON.stringify(value)));
}

export const SERVICE_EXAMPLE = `# A service of understudy. Explained in docs/configuration.md; checked by 'understudy service check FILE'.
name: orders
command: [redis-server, --port, '6379', --save, '']
environment: { LANG: C.UTF-8 }
workingDirectory: /var/lib/orders
user: redis
mode: active-active
hosts:
  - { name: host-a, priority: 100 }   # the primary, if it is there
  - { name: host-b, priority: 50 }
vip: { address: 10.0.0.100, prefix: 24, interface: eth0 }
ports: { tcp: [6379] }
storage:
  - { path: /var/lib/orders, class: unshared }
rpo: { ms: 0, bytes: 0 }              # nothing may be lost
outputCommit: received
onBackupLoss: continue
# A host that is back becomes the backup again. This program writes no files that would have to be brought there.
reinstate: { auto: true, unsharedAsIs: true }
`;
