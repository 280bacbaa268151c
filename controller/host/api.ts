// What a host daemon answers, as types: shared by the daemon and by those who ask it.
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
  stats: PlaneStats;
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
