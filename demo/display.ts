// What the demo shows while it runs: on a terminal a block that is drawn over itself, with events above it; otherwise a line per
// second.
//
// Must not: ask anything of the rig. It is told.
import { count, table } from '../cli/format.js';

export interface ClientView {
  name: string;
  connections: number;
  requests: number;
  errors: number;
  /** Answers in each of the last slots, the newest last. */
  rates: number[];
  longestMs: number;
}

export interface HostView {
  name: string;
  text: string;
  color: 'green' | 'yellow' | 'red';
}

export const SLOT_MS = 100;
const SLOTS = 50;
const BARS = ' ▁▂▃▄▅▆▇█';
const LINE_EVERY_MS = 1000;

export class Display {
  private drawn = 0;
  private lastLineAt = 0;
  private readonly tty = process.stdout.isTTY === true && process.env['TERM'] !== 'dumb';
  private readonly colors = this.tty && (process.env['NO_COLOR'] ?? '') === '';

  paint(text: string, color: 'green' | 'yellow' | 'red' | 'bold' | 'dim'): string {
    if (!this.colors) return text;
    const codes = { green: 32, yellow: 33, red: 31, bold: 1, dim: 2 };
    return `\x1b[${codes[color]}m${text}\x1b[0m`;
  }

  /** A line that stays. */
  say(text = ''): void {
    this.erase();
    process.stdout.write(`${text}\n`);
  }
  title(text: string): void {
    this.say();
    this.say(this.paint(text, 'bold'));
  }
  command(text: string): void {
    this.say(this.paint(`  $ ${text}`, 'dim'));
  }
  event(text: string, color: 'green' | 'yellow' | 'red' | 'dim' = 'dim'): void {
    this.say(`  ${new Date().toISOString().slice(11, 23)}  ${this.paint(text, color)}`);
  }

  draw(hosts: readonly HostView[], clients: readonly ClientView[]): void {
    if (!this.tty) return this.line(hosts, clients);
    const rows = [
      ['CLIENT', 'REQUESTS', 'PER SECOND', 'LONGEST WAIT', 'ERRORS', `ANSWERS, LAST ${(SLOTS * SLOT_MS) / 1000} s`],
      ...clients.map((c) => [
        `${c.name}, ${c.connections} connection${c.connections === 1 ? '' : 's'}`,
        count(c.requests),
        count(perSecond(c)),
        `${c.longestMs.toFixed(1)} ms`,
        String(c.errors),
        bars(c.rates),
      ]),
    ];
    const [head, ...lines] = table(rows, [1, 2, 3, 4]).split('\n');
    const text = [
      '',
      ...hosts.map(({ name, text: what, color }) => `  ${this.paint('●', color)} ${name}  ${what}`),
      '',
      `  ${this.paint(head!, 'dim')}`,
      ...lines.map((line) => `  ${line}`),
    ].map((l) => l.replace(/\s+$/, ''));
    this.erase();
    process.stdout.write(`${text.join('\n')}\n`);
    this.drawn = text.length;
  }

  /** What was drawn last stays, and the next drawing is below it. */
  keep(): void {
    this.drawn = 0;
  }

  private erase(): void {
    if (this.drawn > 0) process.stdout.write(`\x1b[${this.drawn}A\x1b[J`);
    this.drawn = 0;
  }

  private line(hosts: readonly HostView[], clients: readonly ClientView[]): void {
    const now = Date.now();
    if (now - this.lastLineAt < LINE_EVERY_MS) return;
    this.lastLineAt = now;
    const each = clients.map((c) => `${c.name} ${count(perSecond(c))}/s`).join(', ');
    const errors = clients.reduce((sum, c) => sum + c.errors, 0);
    const roles = hosts.map(({ name, text }) => `${name} ${text.split(',')[0]}`).join(', ');
    this.event(`${each}; ${errors} errors; ${roles}`);
  }
}

function perSecond({ rates }: ClientView): number {
  const late = rates.slice(-10);
  return late.length === 0 ? 0 : Math.round((late.reduce((a, b) => a + b, 0) * 1000) / (late.length * SLOT_MS));
}

function bars(rates: readonly number[]): string {
  const late = rates.slice(-SLOTS);
  const top = Math.max(1, ...late);
  return late.map((n) => BARS[n === 0 ? 0 : Math.max(1, Math.round((n / top) * (BARS.length - 1)))]).join('');
}
