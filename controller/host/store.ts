// What a host daemon keeps on disk, in one `level` store: the services applied here, their history, the timelines of failovers.
//
// Invariants:
//  - One daemon per state directory: the store's lock is the daemon's.
//  - Nothing in it decides a role. A daemon that finds its store empty is no danger, only ignorant.
//  - History is bounded; its oldest lines go.
//
// Must not: be waited for on the path of a takeover.
import { Level } from 'level';

import { errnoOf, messageOf, UnderstudyError } from '../../journal/src/errors.js';
import type { ServiceConfig } from '../config/service-config.js';
import type { TimelineStage } from './data-plane.js';

const HISTORY_LINES_MAX = 5_000;
const PRUNE_EVERY = 500;

export interface HistoryLine {
  at: string;
  level: 'info' | 'warning' | 'error';
  text: string;
}

export interface Timeline {
  service: string;
  epoch: number;
  /** Wall clock when it began. */
  at: string;
  from: string;
  to: string;
  reason: string;
  /** Nanoseconds of CLOCK_MONOTONIC of the host that took over. */
  stages: TimelineStage[];
}

const padded = (n: number): string => String(n).padStart(16, '0');

export class HostStore {
  private lines = 0;
  private sequence = 0;
  private writes: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly db: Level<string, unknown>,
    private readonly onError: (error: unknown) => void,
  ) {}

  static async open(dir: string, onError: (error: unknown) => void): Promise<HostStore> {
    const db = new Level<string, unknown>(dir, { valueEncoding: 'json' });
    try {
      await db.open();
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      const locked = errnoOf(cause) === 'LEVEL_LOCKED';
      throw new UnderstudyError(
        locked ? 'E_LISTEN' : 'E_CONFIG',
        locked ? `another daemon uses ${dir}` : `the store ${dir} cannot be opened: ${messageOf(cause)}`,
        { hint: locked ? 'One daemon per state directory.' : 'Check stateDir and its permissions.', cause: error },
      );
    }
    return new HostStore(db, onError);
  }

  async services(): Promise<ServiceConfig[]> {
    const found: ServiceConfig[] = [];
    for await (const value of this.db.values({ gte: 'service!', lt: 'service"' })) found.push(value as ServiceConfig);
    return found;
  }

  async putService(config: ServiceConfig): Promise<void> {
    await this.db.put(`service!${config.name}`, config, { sync: true } as object);
  }

  async removeService(name: string): Promise<void> {
    await this.writes;
    await this.db.del(`service!${name}`);
    for (const kind of ['history', 'timeline'])
      await this.db.clear({ gte: `${kind}!${name}!`, lt: `${kind}!${name}"` });
  }

  addHistory(service: string, line: HistoryLine): void {
    const key = `history!${service}!${padded(Date.parse(line.at))}-${padded(++this.sequence)}`;
    this.write(() => this.db.put(key, line));
    if (++this.lines % PRUNE_EVERY === 0) this.write(() => this.prune(service));
  }

  /** The newest `limit` lines, oldest of them first. */
  async history(service: string, limit: number): Promise<HistoryLine[]> {
    await this.writes;
    const lines: HistoryLine[] = [];
    const range = { gte: `history!${service}!`, lt: `history!${service}"`, reverse: true, limit };
    for await (const value of this.db.values(range)) lines.push(value as HistoryLine);
    return lines.reverse();
  }

  putTimeline(timeline: Timeline): void {
    this.write(() => this.db.put(`timeline!${timeline.service}!${padded(timeline.epoch)}`, timeline));
  }

  async lastTimeline(service: string): Promise<Timeline | undefined> {
    await this.writes;
    const range = { gte: `timeline!${service}!`, lt: `timeline!${service}"`, reverse: true, limit: 1 };
    for await (const value of this.db.values(range)) return value as Timeline;
    return undefined;
  }

  async close(): Promise<void> {
    await this.writes;
    await this.db.close();
  }

  private write(put: () => Promise<unknown>): void {
    this.writes = this.writes.then(put).catch(this.onError);
  }

  private async prune(service: string): Promise<void> {
    const keys: string[] = [];
    for await (const key of this.db.keys({ gte: `history!${service}!`, lt: `history!${service}"` })) keys.push(key);
    const surplus = keys.slice(0, Math.max(0, keys.length - HISTORY_LINES_MAX));
    await this.db.batch(surplus.map((key) => ({ type: 'del', key })));
  }
}
