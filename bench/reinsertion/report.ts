// The figures of reinsertion and switchover, as a table.
import { machineText, type Machine } from '../lib/document.js';
import { figure, mark, table } from '../lib/markdown.js';
import { summarise } from '../lib/stats.js';
import type { Moves, PingPong } from './run.js';

export interface Results {
  date: string;
  machine: Machine;
  seed: number;
  mib: number;
  mode: string;
  inputGate: string;
  connections: number;
  rate: number;
  moves: Moves | undefined;
  pingPong: PingPong | undefined;
}

const REINSERTION_MS_MAX = 10_000;
const PAUSE_MS_MAX = 50;

/** One that is not known is no small one: a wait that was never answered is in the client's errors, not among its arrivals. */
const known = (values: readonly (number | undefined)[]): number[] => values.filter((v) => v !== undefined);

type Row = [label: string, median: string, most: string, runs: string, goal: string];

function row(label: string, values: readonly (number | undefined)[], max?: number): Row {
  const s = summarise(known(values));
  const goal = max === undefined ? '' : `≤ ${figure(max)} `;
  if (s === undefined)
    return [label, '', '', `0 of ${values.length}`, max === undefined ? '' : `${goal}${mark(false)}`];
  // The goal is for each one, not for the one in the middle.
  const reached = s.runs === values.length && s.max <= (max ?? Infinity);
  const runs = s.runs === values.length ? `${s.runs}` : `${s.runs} of ${values.length}`;
  return [label, figure(s.median), figure(s.max), runs, max === undefined ? '' : `${goal}${mark(reached)}`];
}

function stageRows(of: string, measured: readonly { stages: Record<string, number> }[]): Row[] {
  const names = [...new Set(measured.flatMap(({ stages }) => Object.keys(stages)))];
  return names.map((name) =>
    row(
      `… ${of}: ${name} (ms)`,
      measured.map(({ stages }) => stages[name] ?? 0),
    ),
  );
}

export function rowsOf({ moves, pingPong, mib }: Pick<Results, 'moves' | 'pingPong' | 'mib'>): Row[] {
  const rows: Row[] = [];
  if (moves !== undefined) {
    const { reinsertions, switchovers, failures } = moves;
    const of = `reinsertion, ${mib} MiB`;
    rows.push(
      row(
        `${of}: protected again after (ms)`,
        reinsertions.map((r) => r.tookMs),
        REINSERTION_MS_MAX,
      ),
      row(
        `${of}: longest wait of a client (ms)`,
        reinsertions.map((r) => r.pauseMs),
        PAUSE_MS_MAX,
      ),
      row(
        `${of}: state sent (MB)`,
        reinsertions.map((r) => r.stateBytes / 1e6),
      ),
      ...stageRows('of which', reinsertions),
      row(
        `planned switchover, ${mib} MiB: longest wait of a client (ms)`,
        switchovers.map((s) => s.pauseMs),
        PAUSE_MS_MAX,
      ),
      ...stageRows('switchover', switchovers),
      counted('wrong in these', failures.length),
    );
  }
  if (pingPong !== undefined) {
    const { protectedMs, pauses, failures, wanted } = pingPong;
    const all = protectedMs.length === wanted;
    rows.push(
      ['failovers in a row, each followed by a reinsertion', `${protectedMs.length}`, '', '', `${wanted} ${mark(all)}`],
      row('… protected again after (ms)', protectedMs),
      row('… longest wait of a client (ms)', pauses),
      counted('… bytes, requests or connections wrong', failures.length),
    );
  }
  return rows;
}

function counted(label: string, n: number): Row {
  return [label, `${n}`, '', '', `0 ${mark(n === 0)}`];
}

export function markdown(results: Results): string {
  const { date, machine, seed, mode, inputGate, connections, rate } = results;
  return [
    `${date.slice(0, 10)}, seed ${seed}; ${mode}, input gate: ${inputGate}; ${connections} connections, ${figure(rate)} requests in a second. ${machineText(machine)}`,
    '',
    ...table(['figure', 'median', 'most', 'runs', 'target'], rowsOf(results)),
    '',
  ].join('\n');
}
