// `understudy checkpoint ls`, `info`, `verify` and `rm`.
import {
  describe,
  list,
  remove,
  removeBefore,
  verify,
  type CheckpointDescription,
  type CheckpointSummary,
} from '../../controller/checkpoint-files.js';
import { exitCodeOf, UnderstudyError } from '../../journal/src/errors.js';
import { bytes, count, hex, plural, table } from '../format.js';
import { outJson, outLine, style } from '../output.js';

interface Options {
  json?: boolean;
}

export function checkpointList(journal: string, options: Options): number {
  const found = list(journal);
  if (options.json === true) outJson(found);
  else if (found.length === 0) outLine(`no checkpoints in ${journal}`);
  else {
    const heading = ['EVENT', 'TAKEN', 'SIZE', 'MEMORY', 'PROCESSES', 'BUILDS UPON', 'STATE'];
    outLine(table([heading, ...found.map(row)], [0, 2, 3, 4]));
  }
  return 0;
}

// An event is a name here, to be typed again: no commas.
function row(c: CheckpointSummary): string[] {
  if (!c.usable) return [String(c.seq), '-', '-', '-', '-', '-', c.damage === undefined ? 'unreadable' : 'damaged'];
  return [
    String(c.seq),
    localTime(c.timeMs!),
    bytes(c.bytes!),
    bytes(c.mappedBytes!),
    count(c.processes!),
    c.base === undefined ? '-' : String(c.base),
    'usable',
  ];
}

export function checkpointInfo(
  journal: string,
  name: string | undefined,
  options: Options & { regions?: boolean },
): number {
  const c = describe(journal, name ?? 'last');
  if (options.json === true) outJson(c);
  else render(c, options.regions === true);
  return 0;
}

function render(c: CheckpointDescription, regions: boolean): void {
  const { bold, dim, red } = style(1);
  const files = c.files!;
  const rows: [string, string][] = [
    ['event', bold(String(c.seq))],
    ['taken', `${localTime(c.timeMs!)} on ${c.hostName}`],
    ['machine', `${c.cpu}, Linux ${c.kernel}`],
    ['epoch', count(c.epoch!)],
    ['file', `${c.path}, ${bytes(c.bytes!)}`],
  ];
  for (const file of files.slice(1)) rows.push(['upon', `${file.path}, ${bytes(file.bytes)}`]);
  if (c.incompatibility !== '') rows.push(['here', red(c.incompatibility)]);
  for (const space of c.spaces) {
    const who = space.kind === 'process' ? `process ${space.pid}` : 'shared';
    rows.push([
      'memory',
      `${who}${space.name === '' ? '' : ` (${space.name})`}: ${bytes(space.mappedBytes)} in ${plural(space.regions.length, 'mapping')}, ` +
        `${bytes(space.storedBytes)} stored`,
    ]);
    if (!regions) continue;
    for (const r of space.regions)
      rows.push(['', dim(`${hex(r.start)}-${hex(r.end)} ${protection(r.prot)} ${r.name}`.trimEnd())]);
  }
  for (const section of c.sections) rows.push(['section', `${section.name}, ${bytes(section.bytes)}`]);
  outLine(rows.map(([label, text]) => `${label.padEnd(9)} ${text}`.trimEnd()).join('\n'));
}

const protection = (prot: number): string => ['r', 'w', 'x'].map((c, bit) => ((prot >> bit) & 1 ? c : '-')).join('');

export function checkpointVerify(journal: string, name: string | undefined, options: Options): number {
  const reports = verify(journal, name);
  const ok = reports.every((r) => r.ok);
  if (options.json === true) {
    outJson({ journal, ok, checkpoints: reports });
  } else {
    const { red, green } = style(1);
    if (reports.length === 0) outLine(`no checkpoints in ${journal}`);
    for (const r of reports) {
      const of = r.files > 0 ? ` (${bytes(r.bytes)} in ${plural(r.files, 'file')})` : '';
      outLine(`${r.seq}: ${r.ok ? `${green('ok')}, every byte is as it was written` : red('damaged')}${of}`);
      for (const damage of r.damages) outLine(`  ${damage.text}`);
      if (r.damaged > r.damages.length) outLine(`  and ${plural(r.damaged - r.damages.length, 'page')} more`);
    }
  }
  return ok ? 0 : exitCodeOf('E_CHECKPOINT_DAMAGED');
}

export function checkpointRemove(
  journal: string,
  names: readonly string[],
  options: Options & { before?: string },
): number {
  if ((names.length === 0) === (options.before === undefined)) {
    throw new UnderstudyError('E_USAGE', 'name the checkpoints to remove, or give --before', {
      hint: `'understudy checkpoint ls ${journal}' shows which there are.`,
    });
  }
  const done = options.before === undefined ? remove(journal, names) : removeBefore(journal, options.before);
  if (options.json === true) {
    outJson({ journal, ...done });
    return 0;
  }
  for (const seq of done.folded) outLine(`${seq}: complete now, without those that it built upon`);
  outLine(done.removed.length === 0 ? 'nothing to remove' : `removed ${done.removed.join(', ')}`);
  return 0;
}

function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, '0');
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  );
}
