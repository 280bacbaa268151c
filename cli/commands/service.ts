// `understudy service ...`, `list`, `failover`, `explain`: questions to a daemon, and their answers for people.
import { readServiceConfig, SERVICE_EXAMPLE } from '../../controller/config/service-config.js';
import type {
  ApplyAnswer,
  ExplainAnswer,
  FailoverAnswer,
  HistoryAnswer,
  ListAnswer,
  LogsAnswer,
  ServiceRow,
} from '../../controller/host/api.js';
import { askDaemon, connectDaemon, type Target } from '../../controller/host/client.js';
import { bytes, count, duration, table } from '../format.js';
import { reinsertionText } from './moves.js';
import { out, outJson, outLine, stdoutIsTty, style } from '../output.js';

const APPLY_TIMEOUT_MS = 70_000;
const FAILOVER_TIMEOUT_MS = 20_000;
const FOLLOW_EVERY_MS = 300;
const LOG_TAIL_BYTES = 16 << 10;

type Options = Target & { json?: boolean };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function serviceCheck(file: string, options: { json?: boolean }): number {
  const config = readServiceConfig(file);
  if (options.json === true) outJson(config);
  else outLine(`${file}: ok (service ${config.name} on ${config.hosts.map(({ name }) => name).join(', ')})`);
  return 0;
}

export function serviceExample(): number {
  out(SERVICE_EXAMPLE);
  return 0;
}

export async function serviceApply(file: string, options: Options): Promise<number> {
  const config = readServiceConfig(file);
  const answer = await askDaemon<ApplyAnswer>(options, 'service.apply', { config }, APPLY_TIMEOUT_MS);
  if (options.json === true) {
    outJson(answer);
    return 0;
  }
  const { green, red } = style(1);
  const { service, host, state, epoch, backup, reason, changed } = answer;
  const how = state === 'protected' ? green(`protected by ${backup}`) : red(`${state}: ${reason}`);
  outLine(`${service} ${changed ? 'runs' : 'runs already'} on ${host}, epoch ${epoch}, ${how}`);
  return 0;
}

export async function serviceStop(service: string, options: Options & { force?: boolean }): Promise<number> {
  const params = { service, force: options.force === true };
  const answer = await askDaemon<{ service: string; state: string }>(options, 'service.stop', params, APPLY_TIMEOUT_MS);
  if (options.json === true) outJson(answer);
  else outLine(`${service} is stopped`);
  return 0;
}

export async function serviceRemove(service: string, options: Options): Promise<number> {
  const answer = await askDaemon<{ removed: string[] }>(options, 'service.remove', { service }, FAILOVER_TIMEOUT_MS);
  if (options.json === true) outJson(answer);
  else outLine(`${service} is removed from ${answer.removed.join(', ')}`);
  return 0;
}

export async function serviceHistory(service: string, options: Options & { lines: number }): Promise<number> {
  const lines = await askDaemon<HistoryAnswer>(options, 'service.history', { service, limit: options.lines });
  if (options.json === true) {
    for (const line of lines) outJson(line);
    return 0;
  }
  const { red, yellow, dim } = style(1);
  for (const { at, host, level, text } of lines) {
    const shown = level === 'error' ? red(text) : level === 'warning' ? yellow(text) : text;
    outLine(`${dim(at)}  ${host}  ${shown}`);
  }
  return 0;
}

export async function serviceLogs(service: string, options: Target & { follow?: boolean }): Promise<number> {
  const peer = await connectDaemon(options);
  try {
    for (let offset = -LOG_TAIL_BYTES; ;) {
      const answer = (await peer.request('service.logs', { service, offset })) as LogsAnswer;
      if (answer.text !== '') out(answer.text);
      else if (options.follow !== true) return 0;
      else await sleep(FOLLOW_EVERY_MS);
      ({ offset } = answer);
    }
  } finally {
    peer.close();
  }
}

// ---- list ------------------------------------------------------------------------------------------------------------

export async function list(options: Options & { watch?: boolean; every: number }): Promise<number> {
  const peer = await connectDaemon(options);
  try {
    for (;;) {
      const answer = (await peer.request('service.list', {})) as ListAnswer;
      if (options.json === true) outJson(answer);
      else {
        if (options.watch === true && stdoutIsTty()) out('\x1b[H\x1b[2J');
        out(`${renderList(answer)}\n`);
      }
      if (options.watch !== true) return 0;
      await sleep(options.every * 1000);
    }
  } finally {
    peer.close();
  }
}

function renderList({ host, services }: ListAnswer): string {
  const { red, green, yellow, dim } = style(1);
  const rows = [
    ['SERVICE', 'MODE', 'PRIMARY', 'BACKUP', `ON ${host.name.toUpperCase()}`, 'STATE', 'EPOCH', 'LAG', 'RPO NOW'],
    ...services.map((row) => [
      row.service,
      row.mode,
      row.primary ?? '-',
      row.backup ?? '-',
      row.role === 'none' ? '-' : row.role,
      row.state,
      String(row.epoch),
      lag(row),
      rpo(row),
    ]),
  ];
  const painted = table(rows, [6])
    .split('\n')
    .map((line, i) => {
      const state = services[i - 1]?.state;
      if (i === 0) return dim(line);
      if (state === 'protected') return line.replace('protected', green('protected'));
      if (state === 'unprotected' || state === 'failed') return line.replace(state, red(state));
      return state === undefined ? line : line.replace(state, yellow(state));
    });
  const notes = services.flatMap((row) => {
    const { service, state, reason, reinsertion, switchover } = row;
    return [
      ...(reason !== '' && state !== 'protected' ? [dim(`${service}: ${reason}`)] : []),
      ...(reinsertion === null ? [] : [yellow(reinsertionText(service, row))]),
      ...(switchover === null
        ? []
        : [
            `${service}: a switchover to ${switchover.to} is ${switchover.state}${switchover.at === null ? '' : ` for ${switchover.at}`}`,
          ]),
    ];
  });
  if (!host.coordinator.reachable) notes.push(red(`the coordinator cannot be reached: ${host.coordinator.reason}`));
  for (const { name, connected, reason } of host.peers) {
    if (!connected) notes.push(yellow(`host ${name} is not connected: ${reason}`));
  }
  if (services.length === 0) painted.push(dim("(no services; 'understudy service apply FILE' starts one)"));
  return [...painted, ...notes].join('\n');
}

function lag(row: ServiceRow): string {
  if (row.role === 'none' || row.rpo === null) return '-';
  const { stored } = row.stats;
  // What a takeover would begin with, and what it would execute again.
  if (stored !== null) return `state ${duration(stored.stateAgeMs)} old + ${bytes(stored.journalBytes)}`;
  return `${count(row.lag.events)} ev, ${bytes(row.lag.bytes)}, ${row.lag.ms.toFixed(row.lag.ms < 10 ? 1 : 0)} ms`;
}

function rpo(row: ServiceRow): string {
  if (row.role === 'none') return '-';
  if (row.rpo === null) return row.state === 'unprotected' ? 'all' : '-';
  return row.rpo.ms === 0 && row.rpo.bytes === 0 ? '0' : `${row.rpo.ms.toFixed(0)} ms, ${bytes(row.rpo.bytes)}`;
}

// ---- failover, explain -----------------------------------------------------------------------------------------------

export async function failover(service: string, options: Options & { force?: boolean }): Promise<number> {
  const params = { service, force: options.force === true };
  const answer = await askDaemon<FailoverAnswer>(options, 'service.failover', params, FAILOVER_TIMEOUT_MS);
  if (options.json === true) outJson(answer);
  else if (answer.to === null)
    outLine(`${service} has no primary now (epoch ${answer.epoch}); see 'understudy service history ${service}'`);
  else
    outLine(
      `${service} moved from ${answer.from} to ${answer.to}, epoch ${answer.epoch}, in ${duration(answer.tookMs)}`,
    );
  return answer.to === null ? 1 : 0;
}

export async function explain(service: string, options: Options): Promise<number> {
  const timeline = await askDaemon<ExplainAnswer>(options, 'service.explain', { service });
  if (options.json === true) {
    outJson(timeline);
    return 0;
  }
  if (timeline === null) {
    outLine(`${service}: no failover yet`);
    return 0;
  }
  const { bold, dim } = style(1);
  outLine(`${bold(service)}: ${timeline.from} -> ${timeline.to}, epoch ${timeline.epoch}, ${timeline.at}`);
  outLine(`reason: ${timeline.reason}`);
  const detected = timeline.stages.find(({ stage }) => stage === 'detect')?.atNs ?? timeline.stages[0]?.atNs ?? 0;
  let before: number | undefined;
  const rows = timeline.stages.map(({ stage, atNs, detail }) => {
    const step = before === undefined ? '' : `+${((atNs - before) / 1e6).toFixed(2)}`;
    before = atNs;
    return [((atNs - detected) / 1e6).toFixed(2), step, stage, detail ?? ''];
  });
  const [head, ...lines] = table([['MS', 'STEP', 'STAGE', ''], ...rows], [0, 1]).split('\n');
  outLine(dim(head!));
  for (const line of lines) outLine(line);
  return 0;
}
