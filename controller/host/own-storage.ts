// The directories that a service has on each host for itself (storage of class unshared), and whether they can be brought to a new backup.
//
// Bringing one replaces what the other host has there, and removes what is not in it. So it is done only with what is the service's own
// for certain.
//
// Must not: touch them.
import type { ServiceConfig } from '../config/service-config.js';
import type { OwnStorage } from './data-plane.js';

/** What others have things in, too. */
const COMMON = [
  /^\/(bin|boot|etc|home|lib\d*|media|mnt|opt|root|run|sbin|srv|tmp|var)?$/,
  /^\/(dev|proc|sys|usr)(\/|$)/,
  /^\/var\/(backups|cache|lib|local|lock|log|mail|opt|run|spool|tmp)$/,
];

/** Of what a new backup gets; the other way round: what it has there is replaced. In the definition's order, which both hosts have. */
export function ownStorage({ storage, reinstate }: ServiceConfig): OwnStorage[] {
  if (reinstate.unsharedAsIs) return [];
  return storage
    .filter((rule) => rule.class === 'unshared')
    .map(({ path, source, snapshot }) => ({
      dir: trimmed(source ?? path),
      ...(snapshot === undefined ? {} : { snapshot }),
    }));
}

/** Why a service that runs cannot get a new backup; null: it can. */
export function unsharedObstacle(config: ServiceConfig): string | null {
  const own = ownStorage(config).map(({ dir }) => dir);
  const asIs = "'reinstate.unsharedAsIs' says that the other host's copy will do";
  const wide = own.find((dir) => COMMON.some((common) => common.test(dir)));
  if (wide !== undefined)
    return `${wide} is unshared storage, and too much to be the service's own: to bring it to another host would replace all that is there. Name the directory that only the service uses (${asIs})`;
  for (const dir of own) {
    const inner = config.storage.map(({ path, source }) => trimmed(source ?? path)).find((other) => within(other, dir));
    if (inner !== undefined)
      return `${inner} lies within ${dir}, which is unshared storage: what is brought to another host cannot have parts that are not. Put it elsewhere (${asIs})`;
  }
  return null;
}

const trimmed = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') : path);
const within = (path: string, dir: string): boolean => path !== dir && path.startsWith(`${dir}/`);
