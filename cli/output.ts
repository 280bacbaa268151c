// Writing to the terminal. Role: every byte that the CLI shows goes through here.
//
// Invariant: process.stdout, process.stderr and console are never touched. Node puts pipes that it opens as streams into
// non-blocking mode, which belongs to the open file, not to the process: the guest, which inherits the same files, would get EAGAIN.
//
// Must not: buffer. Lines from the guest and from here appear in the order in which they were written.
import { fstatSync, writeSync } from 'node:fs';

import { errnoOf } from '../journal/src/errors.js';

const RETRY_MS = 2;

function write(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (errnoOf(error) === 'EAGAIN') {
        // Somebody else made it non-blocking, and it is full.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
        continue;
      }
      // The reader is gone (`| head`): there is nobody to show anything to, and a shell expects this quietly.
      if (errnoOf(error) === 'EPIPE' && fd === 1) process.exit(0);
      if (errnoOf(error) === 'EPIPE' || errnoOf(error) === 'EBADF' || errnoOf(error) === 'EIO') return;
      throw error;
    }
  }
}

export const out = (text: string): void => write(1, text);
export const err = (text: string): void => write(2, text);
export const outLine = (text: string): void => write(1, `${text}\n`);
export const outJson = (value: unknown): void => write(1, `${toJson(value)}\n`);
export const errJson = (value: unknown): void => write(2, `${toJson(value)}\n`);

// node:tty brings all of Node's networking with it, which takes longer to load than a short guest to run; so it is only asked about
// what can be a terminal.
function isatty(fd: number): boolean {
  try {
    if (!fstatSync(fd).isCharacterDevice()) return false;
  } catch (error) {
    if (errnoOf(error) === 'EBADF') return false;
    throw error;
  }
  return process.getBuiltinModule('node:tty').isatty(fd);
}

export const stdoutIsTty = (): boolean => isatty(1);
export const stderrIsTty = (): boolean => isatty(2);

function toJson(value: unknown): string {
  // The replacer gets what toJSON made of a value, which for a Buffer is a list of numbers; the value itself is in its holder.
  return JSON.stringify(value, function (this: Record<string, unknown>, key: string, made: unknown) {
    const v = this[key];
    if (typeof v === 'bigint')
      return v >= -(2n ** 53n) && v <= 2n ** 53n ? Number(v) : `0x${BigInt.asUintN(64, v).toString(16)}`;
    if (v instanceof Uint8Array) return Buffer.from(v).toString('hex');
    return made;
  });
}

// ---- Style --------------------------------------------------------------------------------------------------

function colours(fd: number): boolean {
  if (process.env['NO_COLOR'] !== undefined && process.env['NO_COLOR'] !== '') return false;
  return isatty(fd) && process.env['TERM'] !== 'dumb';
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  green(text: string): string;
}

const styles = new Map<1 | 2, Style>();

export function style(fd: 1 | 2): Style {
  const known = styles.get(fd);
  if (known !== undefined) return known;
  const on = colours(fd);
  const paint = (code: number) => (text: string) => (on ? `\x1b[${code}m${text}\x1b[0m` : text);
  const made = { bold: paint(1), dim: paint(2), red: paint(31), yellow: paint(33), green: paint(32) };
  styles.set(fd, made);
  return made;
}

/** A message about the run, distinguishable from what the guest prints. */
export function say(text: string): void {
  clearProgress();
  err(`understudy: ${text}\n`);
}

export function warn(text: string): void {
  clearProgress();
  err(`understudy: ${style(2).yellow('warning:')} ${text}\n`);
}

export function fail(text: string): void {
  clearProgress();
  err(`understudy: ${style(2).red('error:')} ${text}\n`);
}

// ---- Progress -----------------------------------------------------------------------------------------------

let progressShown = false;

export function clearProgress(): void {
  if (progressShown) err('\r\x1b[K');
  progressShown = false;
}

const TTY_EVERY_MS = 250;
const PLAIN_EVERY_MS = 5000;
const QUIET_FIRST_MS = 2000;

/**
 * One line that is renewed, on a terminal; a line now and then otherwise. `auto`: only on a terminal, and only once the work has
 * taken two seconds; `always`: from the start, anywhere.
 */
export class Progress {
  private readonly startedAt = Date.now();
  private shownAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly tty = stderrIsTty();

  constructor(
    private readonly mode: 'auto' | 'always' | 'never',
    private readonly line: () => string,
  ) {}

  /** Renews by itself, for work that goes on elsewhere. */
  start(): this {
    if (this.mode === 'never' || (this.mode === 'auto' && !this.tty)) return this;
    this.timer = setInterval(() => this.tick(), TTY_EVERY_MS);
    this.timer.unref();
    return this;
  }

  /** Renews if it is time to. */
  tick(): void {
    if (this.mode === 'never' || (this.mode === 'auto' && !this.tty)) return;
    const now = Date.now();
    if (this.mode === 'auto' && now - this.startedAt < QUIET_FIRST_MS) return;
    if (now - this.shownAt < (this.tty ? TTY_EVERY_MS - 20 : PLAIN_EVERY_MS)) return;
    this.shownAt = now;
    if (this.tty) {
      err(`\r\x1b[K${this.line()}`);
      progressShown = true;
    } else {
      err(`${this.line()}\n`);
    }
  }

  stop(): void {
    if (this.timer !== undefined) clearInterval(this.timer);
    this.timer = undefined;
    clearProgress();
  }
}
