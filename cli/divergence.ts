// Renders a divergence and stacks for people.
import { errnoName, kindName, syscallArgs } from '../journal/src/names.js';
import { REGISTER_NAMES, type Divergence, type DivergenceKind, type StackFrame } from '../controller/index.js';
import { count, hex, shellWord } from './format.js';
import { style } from './output.js';

const KIND_TEXT: Record<DivergenceKind, string> = {
  unknown: 'not known',
  'kernel-result': 'a result of the kernel that was not recorded (a call or ioctl that is not described, or not fully)',
  'kernel-write': "a write of the kernel into the guest's memory that was not recorded",
  'start-state': 'the state in which the program began (arguments, environment, auxiliary vector, addresses)',
  instruction: 'an instruction whose result differs (rdtsc, rdrand, cpuid in code that was not rewritten)',
  agent: "the agent's own doing: something of it was seen by the guest",
  order: 'the order of threads, processes or signals',
  place: 'something of this machine that the recorded one had otherwise (files, /proc, host name)',
  time: 'behaviour that follows the clock',
};

export function renderDivergence(d: Divergence, journal: string): string {
  const { red, bold, dim } = style(2);
  const lines: string[] = [];
  lines.push(`understudy: ${red('the replay diverged from the recording')} at event ${bold(count(d.seq))}`);
  lines.push(`  expected     ${expected(d)}`);
  lines.push(`  came         ${actual(d)}`);
  if (d.detail !== '') lines.push(`  detail       ${d.detail}`);
  lines.push(`  thread       ${d.gtid} of the group (here process ${d.pid}, thread ${d.tid})`);
  lines.push(`  likely cause ${KIND_TEXT[d.kind]}`);
  if (d.stack.length > 0) lines.push('  stack', renderStack(d.stack).trimEnd());
  lines.push(dim(`  registers    ${registers(d.regs)}`));
  lines.push(
    `  The events around it:  understudy journal dump ${shellWord(journal)} --from ${Math.max(1, d.seq - 20)} --to ${d.seq + 5}`,
  );
  if (d.seq > 1) lines.push(`  The state before it:   understudy replay ${shellWord(journal)} --until ${d.seq - 1}`);
  return `${lines.join('\n')}\n`;
}

function expected(d: Divergence): string {
  const name = kindName(d.expectedKind);
  if (d.expectedKind < 0) return name;
  const error = errnoName(d.expectedRet);
  return `${name}, which returned ${error === undefined ? d.expectedRet : `-1 ${error}`}`;
}

function actual(d: Divergence): string {
  const name = kindName(d.actualKind);
  if (d.actualKind < 0) return name;
  const args = syscallArgs(d.actualKind);
  const shown = (args.length > 0 ? args : d.actualArgs.map((_, i) => ({ name: `arg${i}`, type: 'hex' as const })))
    .map((arg, i) => `${arg.name}=${argText(arg.type, d.actualArgs[i] ?? 0n)}`)
    .join(', ');
  return `${name}(${shown})`;
}

function argText(type: string, value: bigint): string {
  const signed = BigInt.asIntN(64, value);
  switch (type) {
    case 'fd':
    case 'int':
    case 'pid':
    case 'sig':
    case 'clock':
      return String(BigInt.asIntN(32, value));
    case 'uint':
      return String(BigInt.asUintN(32, value));
    case 'long':
    case 'off':
      return String(signed);
    case 'size':
      return String(BigInt.asUintN(64, value));
    case 'oct':
      return `0${BigInt.asUintN(32, value).toString(8)}`;
    default:
      return value === 0n ? '0' : hex(BigInt.asUintN(64, value));
  }
}

function registers(regs: readonly bigint[]): string {
  return REGISTER_NAMES.map((name, i) => `${name}=${(regs[i] ?? 0n).toString(16)}`).join(' ');
}

export function renderStack(stack: readonly StackFrame[]): string {
  return stack
    .map((frame, i) => {
      const at =
        frame.symbol === undefined ? '' : ` ${frame.symbol}${frame.symbolOffset ? `+${frame.symbolOffset}` : ''}`;
      const module =
        frame.module === undefined
          ? ''
          : ` in ${frame.module}${frame.symbol === undefined && frame.moduleOffset !== undefined ? `+${hex(frame.moduleOffset)}` : ''}`;
      const source =
        frame.source === undefined ? '' : ` at ${frame.source}${frame.line === undefined ? '' : `:${frame.line}`}`;
      return `    #${String(i).padEnd(2)} ${hex(frame.address).padStart(14)}${at}${module}${source}\n`;
    })
    .join('');
}
