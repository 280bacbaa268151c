// `understudy journal dump`.
import { statSync } from 'node:fs';

import { JournalIndex } from '../../journal/src/journal-index.js';
import { openJournal } from '../../journal/src/catalogue.js';
import type { MsgpackValue } from '../../journal/src/cursor.js';
import { UnderstudyError, exitCodeOf } from '../../journal/src/errors.js';
import {
  EVENT_KIND_NAMES,
  errnoName,
  eventFields,
  eventKindByName,
  kindName,
  syscallByName,
} from '../../journal/src/names.js';
import { syscalls } from '../../journal/schema/syscalls.js';
import { segmentPath } from '../../journal/src/layout.js';
import { listSegments } from '../../journal/src/scan.js';
import { EventReader, type JournalEvent, type Selection } from '../../journal/src/select.js';
import { bytes, signalName } from '../format.js';
import { errJson, out, outJson, Progress, style, warn } from '../output.js';

interface Options {
  from?: number;
  to?: number;
  thread?: number;
  kind?: string;
  syscall?: string;
  fd?: number;
  after?: number;
  bytes?: number;
  json?: boolean;
}

// Below this, an index costs more than reading all of it.
const INDEX_FROM_BYTES = 8 * 1024 * 1024;

export async function journalDump(path: string, given: Record<string, unknown>): Promise<number> {
  const options = given as Options;
  const selection = select(options);
  const journal = await openJournal(path);
  let index: JournalIndex | undefined;
  try {
    const { fromSeq, afterNs, gtid, fd } = selection;
    const picks = (fromSeq ?? 1) > 1 || afterNs !== undefined || gtid !== undefined || fd !== undefined;
    if (picks && !journal.packed && segmentBytes(journal.dir) >= INDEX_FROM_BYTES) {
      let read = 0;
      const progress = new Progress('auto', () => `indexing: ${bytes(read)}`);
      index = await JournalIndex.open(journal.dir, (n) => {
        read = n;
        progress.tick();
      });
      progress.stop();
    }
    const reader = new EventReader(journal.dir, selection, index);
    const shownBytes = options.bytes ?? 32;
    const json = options.json === true;
    for await (const events of reader.batches()) {
      if (json) {
        for (const event of events) outJson(eventJson(event));
        continue;
      }
      // One write for a batch: a write for every line is what takes the time.
      let text = '';
      for (const event of events) {
        text += `${line(event, shownBytes, reader.startNs)}\n`;
      }
      out(text);
    }
    if (reader.flaw !== undefined) {
      const { file, offset, text } = reader.flaw;
      const message = `the valid part of the journal ends here: ${file}, offset ${offset}: ${text}`;
      if (json) errJson({ type: 'journalEnd', ...reader.flaw });
      else warn(message);
      return exitCodeOf(
        reader.flaw.kind === 'cut' || reader.flaw.kind === 'missing' ? 'E_JOURNAL_END' : 'E_JOURNAL_DAMAGED',
      );
    }
    return 0;
  } finally {
    await index?.close();
    await journal.close();
  }
}

function segmentBytes(journalDir: string): number {
  return listSegments(journalDir).reduce((sum, n) => sum + statSync(segmentPath(journalDir, n)).size, 0);
}

function select(options: Options): Selection {
  const kinds = new Set<number>();
  for (const name of names(options.kind)) {
    if (name.toLowerCase() === 'syscall') {
      for (const call of syscalls) kinds.add(call.nr);
      continue;
    }
    const kind = eventKindByName(name);
    if (kind === undefined) {
      throw new UnderstudyError('E_USAGE', `there is no event kind '${name}'`, {
        hint: `Kinds: ${EVENT_KIND_NAMES.join(', ')}, syscall.`,
      });
    }
    kinds.add(kind);
  }
  for (const name of names(options.syscall)) {
    const nr = syscallByName(name);
    if (nr === undefined) throw new UnderstudyError('E_USAGE', `there is no system call '${name}' on x86-64`);
    kinds.add(nr);
  }
  if (options.from !== undefined && options.to !== undefined && options.from > options.to) {
    throw new UnderstudyError('E_USAGE', `--from ${options.from} is after --to ${options.to}`);
  }
  return {
    ...(options.from === undefined ? {} : { fromSeq: options.from }),
    ...(options.to === undefined ? {} : { toSeq: options.to }),
    ...(options.thread === undefined ? {} : { gtid: options.thread }),
    ...(kinds.size === 0 ? {} : { kinds }),
    ...(options.fd === undefined ? {} : { fd: options.fd }),
    ...(options.after === undefined ? {} : { afterNs: BigInt(Math.round(options.after * 1e9)) }),
  };
}

function names(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((s) => s.trim())
    .filter(Boolean);
}

function eventJson(event: JournalEvent): Record<string, unknown> {
  const fields = eventFields(event.kind);
  const named: Record<string, unknown> = {};
  fields.forEach((name, i) => {
    if (i < event.values.length) named[name] = event.values[i];
  });
  const rest = event.values.slice(fields.length);
  return {
    seq: event.seq,
    kind: event.kind,
    name: kindName(event.kind),
    thread: event.gtid,
    timeNs: String(event.timeNs),
    ...named,
    ...(rest.length > 0 ? { out: rest } : {}),
  };
}

const SEQ_WIDTH = 9;
const NAME_WIDTH = 16;

function line(event: JournalEvent, shownBytes: number, firstTimeNs: bigint): string {
  const { dim, bold, red } = style(1);
  const at = Number(event.timeNs - firstTimeNs) / 1e9;
  const head = `${String(event.seq).padStart(SEQ_WIDTH)} ${dim(`${at.toFixed(3).padStart(9)}s`)} ${String(event.gtid).padStart(3)}`;
  const name = kindName(event.kind);
  if (event.kind < 0) return `${head} ${bold(name.padEnd(NAME_WIDTH))} ${special(event, shownBytes)}`;
  const [argsum, ret, ...rest] = event.values;
  const error = typeof ret === 'number' || typeof ret === 'bigint' ? errnoName(ret) : undefined;
  const result = error === undefined ? valueText(ret, shownBytes) : red(`-1 ${error}`);
  const outs = rest.map((v) => valueText(v, shownBytes)).join(' ');
  const sum = dim(typeof argsum === 'number' ? argsum.toString(16).padStart(4, '0') : '?');
  return `${head} ${name.padEnd(NAME_WIDTH)} ${sum} = ${result}${outs === '' ? '' : `  ${outs}`}`;
}

function special(event: JournalEvent, shownBytes: number): string {
  const fields = eventFields(event.kind);
  return event.values
    .map((value, i) => {
      const field = fields[i];
      if (field === 'signo' && typeof value === 'number') return signalName(value);
      const text =
        field === 'sha256' && value instanceof Uint8Array
          ? Buffer.from(value).toString('hex')
          : valueText(value, shownBytes);
      return field === undefined ? text : `${field}=${text}`;
    })
    .join(' ');
}

const ARRAY_SHOWN = 8;

function valueText(value: MsgpackValue | undefined, shownBytes: number): string {
  if (value === undefined) return '?';
  if (value === null) return '-';
  if (value instanceof Uint8Array) return dataText(value, shownBytes);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `0x${BigInt.asUintN(64, value).toString(16)}`;
  if (Array.isArray(value)) {
    const shown = value.slice(0, ARRAY_SHOWN).map((v) => valueText(v, shownBytes));
    return `[${shown.join(', ')}${value.length > ARRAY_SHOWN ? `, ... ${value.length - ARRAY_SHOWN} more` : ''}]`;
  }
  // What needs more than 32 bits is an address or a set of flags more often than a count.
  if (typeof value === 'number' && value > 0xffffffff) return `0x${value.toString(16)}`;
  return String(value);
}

/** Text as text, everything else as hexadecimal; the length when not all is shown. */
function dataText(data: Uint8Array, shownBytes: number): string {
  if (shownBytes === 0) return `<${data.length}>`;
  const head = data.subarray(0, shownBytes);
  const printable = head.length > 0 && head.every((b) => (b >= 0x20 && b < 0x7f) || b === 9 || b === 10 || b === 13);
  const text = printable
    ? JSON.stringify(Buffer.from(head).toString('latin1'))
    : `<${Buffer.from(head).toString('hex')}>`;
  return data.length > head.length ? `${text}...${data.length}` : text;
}
