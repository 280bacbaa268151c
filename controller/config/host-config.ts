// A host's configuration: docs/schema/host.schema.json, with what a schema cannot say, and with defaults.
import { dirname, resolve } from 'node:path';

import { ConfigSource } from './source.js';

export interface HostPeer {
  name: string;
  address: string;
  port: number;
}

export interface HostConfig {
  name: string;
  /** Absolute. */
  key: string;
  /** Absolute. */
  stateDir: string;
  control: { address: string; port: number };
  dataPlane: { address: string; provider: string; encryption: boolean; ringBytes: number; segmentBytes: number };
  peers: HostPeer[];
  coordinator: { driver: 'embedded' | 'etcd'; endpoints: string[] };
  detection: { heartbeatMs: number; deadlineMs: number; leaseMs: number };
  /** What passive services may keep here, together; 0: no bound. */
  standby: { bytesMax: number };
}

type Given = Omit<HostConfig, 'dataPlane' | 'peers' | 'detection' | 'standby'> & {
  dataPlane?: Partial<HostConfig['dataPlane']>;
  peers?: HostPeer[];
  detection?: Partial<HostConfig['detection']>;
  standby?: Partial<HostConfig['standby']>;
};

// A deadline of five heartbeats: four may be late on a loaded machine. The lease ends before the deadline, so that a host that
// hangs is silent on the network too before anybody takes its place.
const DETECTION = { heartbeatMs: 10, deadlineMs: 50, leaseMs: 40 };

export function readHostConfig(file: string): HostConfig {
  return hostConfig(ConfigSource.read(file));
}

export function hostConfig(source: ConfigSource): HostConfig {
  const given = source.checked('host') as Given;
  const from = (path: string): string => resolve(dirname(source.file), path);
  const detection = { ...DETECTION, ...given.detection };
  if (given.detection?.leaseMs === undefined && given.detection?.deadlineMs !== undefined) {
    detection.leaseMs = Math.floor(detection.deadlineMs * 0.8);
  }
  if (detection.leaseMs >= detection.deadlineMs) {
    source.add(
      ['detection', 'leaseMs'],
      `'detection.leaseMs' (${detection.leaseMs}) must be less than 'detection.deadlineMs' (${detection.deadlineMs}): a host that is silent must have lost its lease before it is replaced`,
    );
  }
  if (detection.heartbeatMs * 2 > detection.leaseMs) {
    source.add(
      ['detection', 'heartbeatMs'],
      `'detection.heartbeatMs' (${detection.heartbeatMs}) must be at most half of 'detection.leaseMs' (${detection.leaseMs})`,
    );
  }
  const mirrorAddress = given.dataPlane?.address ?? given.control.address;
  if (['0.0.0.0', '::', '*'].includes(mirrorAddress)) {
    source.add(
      given.dataPlane?.address === undefined ? ['control', 'address'] : ['dataPlane', 'address'],
      `mirrors cannot connect to ${mirrorAddress}: give 'dataPlane.address', one by which the other hosts reach this one`,
    );
  }
  const peers = given.peers ?? [];
  const names = new Set([given.name]);
  peers.forEach((peer, i) => {
    if (names.has(peer.name)) source.add(['peers', i, 'name'], `'${peer.name}' is named twice`);
    names.add(peer.name);
  });
  given.coordinator.endpoints.forEach((endpoint, i) => {
    const at = ['coordinator', 'endpoints', i];
    if (given.coordinator.driver === 'embedded') {
      if (parseEndpoint(endpoint) === undefined)
        source.add(at, `'${endpoint}' is no ADDRESS:PORT of a witness (IPv6 addresses in brackets)`);
      if (i > 0) source.add(at, 'the embedded driver has one witness; use etcd for more members');
    } else if (!/^http:\/\/[^/]+$/.test(endpoint)) {
      source.add(at, `'${endpoint}' is no http://ADDRESS:PORT of an etcd member`);
    }
  });
  source.finish();
  return {
    ...given,
    key: from(given.key),
    stateDir: from(given.stateDir),
    dataPlane: {
      address: given.control.address,
      provider: 'tcp',
      encryption: false,
      ringBytes: 16 << 20,
      segmentBytes: 64 << 20,
      ...given.dataPlane,
    },
    peers,
    detection,
    standby: { bytesMax: 0, ...given.standby },
  };
}

export function parseEndpoint(text: string): { address: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535) return undefined;
  return { address: match[1] ?? match[2]!, port };
}

export const HOST_EXAMPLE = `# A host of understudy. Explained in docs/configuration.md; checked by 'understudy host check FILE'.
name: host-a
key: pair.key                     # made by 'understudy host key FILE'; the same on all hosts and the witness
stateDir: /var/lib/understudy
control: { address: 10.0.0.1, port: 7400 }
dataPlane: { provider: tcp, encryption: false }
peers:
  - { name: host-b, address: 10.0.0.2, port: 7400 }
coordinator: { driver: embedded, endpoints: ['10.0.0.3:7399'] }
detection: { heartbeatMs: 10, deadlineMs: 50, leaseMs: 40 }
`;
