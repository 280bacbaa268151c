// What a host daemon answers, as types: shared by the daemon and by those who ask it.
import type { MachineMeta } from '../../journal/src/meta.js';
import type { ReinsertionStage } from '../pair/model.js';
import type { PlaneStats } from './data-plane.js';
import type { HistoryLine, Timeline } from './store.js';

export interface ServiceRow {
  service: string;
  mode: string;
  /** Of this host. */
  role: 'none' | 'primary' | 'backup';
  state: string;
  epoch: number;
  primary: string | null;
  backup: string | null;
  outcome: string | null;
  lag: { events: number; bytes: number; ms: number };
  /** What would be lost if the primary vanished now; null: everything, there is no replica. */
  rpo: { ms: number; bytes: number } | null;
  since: string;
  reason: string;
  /** Of a primary without a backup; null: nothing is under way, and nothing was tried. */
  reinsertion: ReinsertionRow | null;
  /** Of the host that conducts it; null: none is planned or under way. */
  switchover: { to: string; state: SwitchoverState; at: string | null } | null;
  stats: PlaneStats;
}

export interface ReinsertionRow {
  stage: ReinsertionStage;
  host: string | null;
  /** Of the guest's state; the total may grow while it is sent. 0: not known yet. */
  sentBytes: number;
  totalBytes: number;
  failures: number;
  failure: string;
}

export interface ReinstateAnswer {
  service: string;
  /** The primary. */
  host: string;
  to: string;
  /** It was under way already. */
  joined: boolean;
  failures: number;
}

export type SwitchoverState =
  | 'scheduled'
  | 'checking'
  /** It can be called off no more. */
  | 'committed'
  /** A dry run whose checks have passed. */
  | 'ready'
  | 'done'
  | 'failed'
  | 'aborted';

export interface SwitchoverStage {
  stage: string;
  state: 'waiting' | 'running' | 'ok' | 'failed';
  detail: string;
}

export interface SwitchoverStatus {
  service: string;
  /** The host that conducts it: the primary before it. */
  from: string;
  to: string;
  state: SwitchoverState;
  dryRun: boolean;
  /** When it is to begin, for one that was planned. */
  at: string | null;
  stages: SwitchoverStage[];
  /** Since it is over: of the record, and from the commit point until the other host was primary. */
  epoch: number | null;
  tookMs: number | null;
  /** Why it failed or was called off. */
  reason: string;
}

/** What a host says of itself to one that wants to hand a service over to it. */
export interface HostFacts {
  product: string;
  machine: MachineMeta;
  /** What stands against this service's running here, found now. */
  problems: { about: 'storage' | 'network' | 'user'; text: string }[];
}

export interface HostStatus {
  name: string;
  product: string;
  pid: number;
  startedAt: string;
  coordinator: { description: string; reachable: boolean; reason: string };
  peers: { name: string; connected: boolean; reason: string }[];
}

export interface ListAnswer {
  host: HostStatus;
  services: ServiceRow[];
}

export interface ApplyAnswer {
  service: string;
  host: string;
  state: string;
  epoch: number;
  backup: string | null;
  reason: string;
  changed: boolean;
}

export interface FailoverAnswer {
  service: string;
  from: string;
  to: string | null;
  epoch: number;
  tookMs: number;
}

export interface LogsAnswer {
  text: string;
  /** Where the next request goes on. */
  offset: number;
  host: string;
}

export type ExplainAnswer = Timeline | null;
export type HistoryAnswer = (HistoryLine & { host: string })[];
