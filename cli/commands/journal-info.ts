// `understudy journal info` and `understudy journal ls`.
import {
  info,
  list,
  openJournal,
  type JournalInfo,
  type JournalState,
  type JournalSummary,
} from '../../journal/src/catalogue.js';
import type { JournalMeta } from '../../journal/src/meta.js';
import { bytes, count, duration, plural, shellCommand, signalName, table } from '../format.js';
import { outJson, outLine, Progress, style } from '../output.js';

const WARNINGS_SHOWN = 20;

export async function journalInfo(path: string, options: { json?: boolean }): Promise<number> {
  let read = 0;
  const progress = new Progress('auto', () => `reading: ${bytes(read)}`);
  const renew = (n: number): void => {
    read = n;
    progress.tick();
  };
  const journal = await openJournal(path, renew);
  try {
    const result = await info(journal, renew);
    progress.stop();
    if (options.json === true) outJson(result);
    else render(result);
    return 0;
  } finally {
    await journal.close();
  }
}

const STATE_TEXT: Record<JournalState, string> = {
  closed: 'complete',
  open: 'not closed; what is there is valid',
  cut: 'cut: the end is missing',
  damaged: 'damaged',
};

function render(i: JournalInfo): void {
  const { bold, yellow, red, green, dim } = style(1);
  const rows: [string, string][] = [];
  const { meta, prefix } = i;
  if (meta !== null) {
    rows.push(['command', bold(shellCommand(meta.argv))]);
    rows.push(['in', meta.cwd]);
    rows.push(['recorded', `${localTime(meta.startedAt)} on ${meta.machine.hostName}`]);
    rows.push(['machine', `${meta.machine.arch}, ${meta.machine.cpu.model}, Linux ${meta.machine.kernel}`]);
    rows.push(['recorder', `understudy ${meta.recorder.version}, format ${meta.formatVersion}`]);
  }
  const why = meta !== null && meta.end === null ? ' (it is being recorded, or the recorder was killed)' : '';
  const state = `${STATE_TEXT[i.state]}${i.state === 'open' ? why : ''}`;
  rows.push(['state', i.state === 'closed' ? green(state) : i.state === 'open' ? yellow(state) : red(state)]);
  if (meta?.end != null) {
    rows.push([
      'ended',
      `${endText(meta)} after ${duration(meta.end.wallMs)} (CPU ${duration(meta.end.cpuUserMs + meta.end.cpuSystemMs)})`,
    ]);
  }
  rows.push(['events', count(prefix.lastSeq - prefix.beginSeq)]);
  if (prefix.beginSeq > 0) rows.push(['begins', `behind event ${count(prefix.beginSeq)}, with a checkpoint`]);
  rows.push(['segments', `${count(i.segments)}, ${bytes(i.segmentBytes)}`]);
  rows.push(['files', `${count(i.blobs)} copied, ${bytes(i.blobBytes)}`]);
  if (prefix.flaw !== undefined) {
    rows.push([
      'valid',
      `${plural(prefix.lastSeq - prefix.beginSeq, 'event')}, ${bytes(prefix.bytes)} of ${bytes(prefix.totalBytes)}; then:`,
    ]);
    rows.push(['', `${prefix.flaw.file}, offset ${prefix.flaw.offset}: ${prefix.flaw.text}`]);
  }
  if (i.metaProblem !== null) rows.push(['meta.json', red(i.metaProblem)]);
  outLine(rows.map(([name, text]) => `${name.padEnd(9)} ${text}`).join('\n'));
  const warnings = meta?.end?.warnings ?? [];
  if (warnings.length > 0) {
    outLine(yellow(plural(warnings.length, 'warning')));
    for (const text of warnings.slice(0, WARNINGS_SHOWN)) outLine(`  ${text}`);
    if (warnings.length > WARNINGS_SHOWN) outLine(dim(`  ${warnings.length - WARNINGS_SHOWN} more with --json`));
  }
}

function endText(meta: JournalMeta): string {
  const end = meta.end!;
  const how = end.signal === null ? `exit status ${end.exitCode ?? 0}` : `by ${signalName(end.signal)}`;
  switch (end.outcome) {
    case 'ended':
    case 'killed':
      return how;
    case 'unprotected':
      return `${how}, but the journal could not be written to the end`;
    case 'journalError':
      return 'stopped, because the journal could not be written';
    case 'fault':
      return 'by a fault of the recorder';
  }
}

function localTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const two = (n: number): string => String(n).padStart(2, '0');
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  );
}

export async function journalList(dir: string, options: { json?: boolean }): Promise<number> {
  const found = await list(dir);
  if (options.json === true) {
    outJson(found);
    return 0;
  }
  if (found.length === 0) {
    outLine(`no journals in ${dir}`);
    return 0;
  }
  const rows = found.map(row);
  outLine(table([['NAME', 'RECORDED', 'EVENTS', 'SIZE', 'STATE', 'COMMAND'], ...rows], [2, 3]));
  return 0;
}

const COMMAND_SHOWN = 60;

function row(j: JournalSummary): string[] {
  const { meta } = j;
  const command = meta === null ? '' : shellCommand(meta.argv);
  const state =
    meta === null
      ? 'damaged'
      : meta.end === null
        ? 'open'
        : meta.end.outcome === 'ended'
          ? 'complete'
          : meta.end.outcome;
  return [
    j.name,
    meta === null ? '-' : localTime(meta.startedAt),
    meta?.end == null ? '-' : count(meta.end.events),
    bytes(j.bytes),
    j.packed ? `${state}, packed` : state,
    meta === null
      ? (j.problem ?? '')
      : command.length > COMMAND_SHOWN
        ? `${command.slice(0, COMMAND_SHOWN - 1)}…`
        : command,
  ];
}
