// Whether this host could run a service now: what another host asks before it hands the service over.
//
// Must not: change anything. Files are looked at, not written.
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';

import { messageOf } from '../../journal/src/errors.js';
import type { HostConfig } from '../config/host-config.js';
import type { ServiceConfig } from '../config/service-config.js';
import { thisMachine } from '../machine.js';
import { productVersion } from '../paths.js';
import type { HostFacts } from './api.js';
import { lookUpUser } from './users.js';

/** Less than this is a disk that is full within moments. */
const FREE_BYTES_MIN = 64 << 20;

export function hostFacts(host: HostConfig, config: ServiceConfig): HostFacts {
  return {
    product: `understudy ${productVersion()}`,
    machine: thisMachine(),
    problems: [...storageProblems(host, config), ...networkProblems(host, config), ...userProblems(config)],
  };
}

function storageProblems(host: HostConfig, config: ServiceConfig): HostFacts['problems'] {
  const own = config.storage.filter((rule) => rule.class !== 'captured').map(({ path, source }) => source ?? path);
  const found: HostFacts['problems'] = [];
  for (const path of [host.stateDir, ...own]) {
    try {
      accessSync(path, constants.R_OK | constants.W_OK);
      const { bavail, bsize } = statfsSync(path);
      const freeBytes = bavail * bsize;
      if (freeBytes < FREE_BYTES_MIN)
        found.push({ about: 'storage', text: `${path}: only ${Math.floor(freeBytes / (1 << 20))} MiB are free` });
    } catch (error) {
      found.push({ about: 'storage', text: `${path} cannot be used: ${messageOf(error)}` });
    }
  }
  return found;
}

function networkProblems(host: HostConfig, config: ServiceConfig): HostFacts['problems'] {
  if (config.vip === undefined) return [];
  const name = config.hosts.find((one) => one.name === host.name)?.interface ?? config.vip.interface;
  return existsSync(`/sys/class/net/${name}`)
    ? []
    : [{ about: 'network', text: `there is no interface ${name} for the address ${config.vip.address}` }];
}

function userProblems(config: ServiceConfig): HostFacts['problems'] {
  if (config.user === undefined) return [];
  try {
    lookUpUser(config.user);
    return [];
  } catch (error) {
    return [{ about: 'user', text: messageOf(error) }];
  }
}
