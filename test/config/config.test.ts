// Configuration files: what is read from them, and what is said about one that is wrong.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { HOST_EXAMPLE, hostConfig, parseEndpoint } from '../../controller/config/host-config.js';
import { receivedServiceConfig, SERVICE_EXAMPLE, serviceConfig } from '../../controller/config/service-config.js';
import { ConfigSource } from '../../controller/config/source.js';
import { lookUpUser } from '../../controller/host/users.js';
import { readPairKeys, writeNewKey } from '../../controller/wire/key.js';

const dir = mkdtempSync(join(tmpdir(), 'understudy-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const service = (text: string) => serviceConfig(ConfigSource.parse('orders.yaml', text));
const host = (text: string) => hostConfig(ConfigSource.parse('/etc/understudy/host-a.yaml', text));

function complaint(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toMatchObject({ code: 'E_CONFIG' });
    return (error as Error).message;
  }
  throw new Error('nothing was wrong');
}

describe('a host configuration', () => {
  it('is what the example shows', () => {
    expect(host(HOST_EXAMPLE)).toMatchObject({
      name: 'host-a',
      key: '/etc/understudy/pair.key',
      control: { address: '10.0.0.1', port: 7400 },
      dataPlane: { address: '10.0.0.1', provider: 'tcp', encryption: false },
      detection: { heartbeatMs: 10, deadlineMs: 50, leaseMs: 40 },
    });
  });

  it('must let a lease end before its holder is replaced', () => {
    const text = HOST_EXAMPLE.replace('leaseMs: 40', 'leaseMs: 60');
    expect(complaint(() => host(text))).toMatch(
      /host-a\.yaml:10: .*leaseMs' \(60\) must be less than .*deadlineMs' \(50\)/,
    );
    // Left out, it follows the deadline.
    expect(host(HOST_EXAMPLE.replace('deadlineMs: 50, leaseMs: 40', 'deadlineMs: 500')).detection.leaseMs).toBe(400);
  });

  it.each([
    [
      'a coordinator that cannot be',
      "endpoints: ['10.0.0.3:7399']",
      "endpoints: ['10.0.0.3']",
      /:9: .*no ADDRESS:PORT/,
    ],
    ['two witnesses', "['10.0.0.3:7399']", "['10.0.0.3:7399', '10.0.0.4:7399']", /:9: .*one witness/],
    ['a peer that is itself', 'name: host-b', 'name: host-a', /:8: 'host-a' is named twice/],
    ['a port that is none', 'port: 7400 }\ndata', 'port: 0 }\ndata', /:5: 'control.port' must be >= 1/],
    [
      'a mistyped field',
      'stateDir',
      'statedir',
      /:4: 'statedir' is not a field of the file; did you mean 'stateDir'\?/,
    ],
  ])('refuses %s', (_name, from, to, message) => {
    expect(HOST_EXAMPLE).toContain(from);
    expect(complaint(() => host(HOST_EXAMPLE.replace(from, to)))).toMatch(message);
  });

  it('knows addresses of both families', () => {
    expect(parseEndpoint('[fd00::1]:7400')).toEqual({ address: 'fd00::1', port: 7400 });
    expect(parseEndpoint('host.example:1')).toEqual({ address: 'host.example', port: 1 });
    for (const text of ['fd00::1:7400', 'x:', 'x:70000', ':1', '']) expect(parseEndpoint(text), text).toBeUndefined();
  });
});

describe('a service definition', () => {
  it('is what the example shows, and survives the way to another host', () => {
    const config = service(SERVICE_EXAMPLE);
    expect(config).toMatchObject({
      name: 'orders',
      command: ['redis-server', '--port', '6379', '--save', ''],
      hosts: [
        { name: 'host-a', priority: 100 },
        { name: 'host-b', priority: 50 },
      ],
      ports: { tcp: [6379], udp: [] },
      rpo: { ms: 0, bytes: 0 },
      namespaces: { pid: true, mount: true, ipc: true, uts: true },
      reinstate: { auto: true, delayMs: 1_000, backoffMaxMs: 60_000, unsharedAsIs: true },
    });
    expect(receivedServiceConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  it.each([
    ['no command', "command: [redis-server, --port, '6379', --save, '']\n", '', /'command'/],
    ['an argument that is no text', "'6379'", '6379', /:3: 'command.2' must be text/],
    ['a port beyond', '[6379]', '[6379, 70000]', /'ports.tcp.1' must be <= 65535/],
    ['an address that is none', '10.0.0.100', '10.0.0.1000', /:11: '10.0.0.1000' is no IP address/],
    ['a VIP without ports', 'ports: { tcp: [6379] }\n', '', /'ports' is missing/],
    ['ports without a VIP', 'vip: { address: 10.0.0.100, prefix: 24, interface: eth0 }\n', '', /'vip' is missing/],
    ['half a bound', 'ms: 0, bytes: 0', 'ms: 10, bytes: 0', /:15: 'rpo' needs a bound in time and one in bytes/],
    [
      'an unknown class',
      'class: unshared',
      'class: private',
      /:14: 'storage.0.class' must be one of unshared, shared, captured/,
    ],
    ['a field that is a guess', 'onBackupLoss', 'onBackuploss', /:17: .*did you mean 'onBackupLoss'\?/],
    [
      'a bound below what it bounds',
      'reinstate: { auto: true, unsharedAsIs: true }',
      'reinstate: { delayMs: 2000, backoffMaxMs: 1000 }',
      /:19: 'reinstate.backoffMaxMs' \(1000\) must be at least 'reinstate.delayMs' \(2000\)/,
    ],
    ['a host twice', 'name: host-b', 'name: host-a', /'host-a' is named twice/],
    [
      'a name that cannot be a key',
      'name: orders',
      'name: ../orders',
      /:2: 'name' is not possible as it is: lower-case/,
    ],
    ['what is no YAML', 'mode:', 'mode: [', /not YAML/],
  ])('refuses %s', (_name, from, to, message) => {
    expect(SERVICE_EXAMPLE).toContain(from);
    expect(complaint(() => service(SERVICE_EXAMPLE.replace(from, to)))).toMatch(message);
  });

  const PASSIVE = SERVICE_EXAMPLE.replace('active-active', 'active-passive').replace(
    'class: unshared',
    'class: shared',
  );

  it('with a passive backup says how often that gets a state, and survives the way to another host, too', () => {
    const config = service(PASSIVE);
    expect(config).toMatchObject({
      mode: 'active-passive',
      checkpoint: { everyMs: 1_000 },
      lag: { events: 0, bytes: 0 },
    });
    expect(receivedServiceConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    expect(service(`${PASSIVE}checkpoint: { everyMs: 250 }\n`).checkpoint).toEqual({ everyMs: 250 });
    expect(service(SERVICE_EXAMPLE).checkpoint).toBeUndefined();
  });

  it.each([
    ['no other host', '  - { name: host-b, priority: 50 }\n', '', /needs another host/],
    [
      'files that nobody would write',
      'class: shared',
      'class: unshared',
      /:14: .*cannot be 'unshared' with active-passive/,
    ],
    ['never being alone', 'onBackupLoss: continue', 'onBackupLoss: stop', /:17: 'onBackupLoss: stop' says/],
    ['a lag', 'onBackupLoss: continue', 'lag: { bytes: 1 }', /:17: 'lag' bounds/],
    [
      'states without a pause',
      'onBackupLoss: continue',
      'checkpoint: { everyMs: 10 }',
      /:17: .*everyMs' must be >= 100/,
    ],
    [
      'active-active at once',
      'active-passive',
      'active-active\ncheckpoint: { everyMs: 100 }',
      /:8: 'checkpoint' is for/,
    ],
  ])('with a passive backup refuses %s', (_name, from, to, message) => {
    expect(PASSIVE).toContain(from);
    expect(complaint(() => service(PASSIVE.replace(from, to)))).toMatch(message);
  });

  it('hears of all that is wrong at once, in the order of the lines', () => {
    const text = SERVICE_EXAMPLE.replace('mode: active-active', 'mode: other')
      .replace('[6379]', '[0]')
      .replace('outputCommit', 'output_commit');
    const lines = complaint(() => service(text)).split('\n');
    expect(lines).toHaveLength(3);
    expect(lines.map((line) => Number(/:(\d+):/.exec(line)![1]))).toEqual([7, 12, 16]);
  });

  it('follows the schemas that are published, and these explain every field', () => {
    for (const name of ['host', 'service']) {
      const schema = JSON.parse(
        readFileSync(resolve(import.meta.dirname, `../../docs/schema/${name}.schema.json`), 'utf8'),
      );
      const text = readFileSync(resolve(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
      for (const field of Object.keys(schema.properties)) expect(text, `${name}: ${field}`).toContain(`\`${field}`);
    }
  });
});

describe('a key', () => {
  it('is made once, readable by its owner only, and gives each use its own', () => {
    const path = join(dir, 'key');
    writeNewKey(path);
    expect(complaint(() => writeNewKey(path))).toMatch(/not overwritten/);
    const keys = readPairKeys(path);
    expect(keys.control).not.toEqual(keys.mirror);
    expect(readPairKeys(path)).toEqual(keys);
    chmodSync(path, 0o640);
    expect(complaint(() => readPairKeys(path))).toMatch(/can be read by others/);
  });

  it('must be long enough', () => {
    const path = join(dir, 'short');
    writeFileSync(path, 'hunter2\n', { mode: 0o600 });
    expect(complaint(() => readPairKeys(path))).toMatch(/holds 7 characters; 32 are the least/);
    expect(complaint(() => readPairKeys(join(dir, 'none')))).toMatch(/cannot be read/);
  });
});

describe('a user', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\nredis:x:107:114::/var/lib/redis:/usr/sbin/nologin\n';
  const group = 'root:x:0:\nssl:x:20:www,redis\nredis:x:114:\nx:x:21:red\n';
  it('is looked up by name or number', () => {
    expect(lookUpUser('redis', passwd, group)).toEqual({ uid: 107, gid: 114, groups: [20] });
    expect(lookUpUser(107, passwd, group)).toEqual({ uid: 107, gid: 114, groups: [20] });
    expect(lookUpUser(5000, passwd, group)).toEqual({ uid: 5000, gid: 5000, groups: [] });
    expect(complaint(() => lookUpUser('nobody-here', passwd, group))).toMatch(/no user 'nobody-here'/);
  });
});
