// `understudy preflight`.
import { preflightCommand, preflightProcess, type Coverage, type PreflightReport } from '../../controller/preflight.js';
import { plural } from '../format.js';
import { outJson, outLine, Progress, style } from '../output.js';

const UNSUPPORTED_EXIT = 1;

export async function preflight(command: string[], options: { json?: boolean }): Promise<number> {
  let shown = '';
  const progress = new Progress('auto', () => shown);
  const renew = (file: string, done: number, total: number): void => {
    shown = `looking at ${done + 1} of ${total}: ${file}`;
    progress.tick();
  };
  // A command whose name is a number can be given with a path: ./4711
  const isPid = command.length === 1 && /^\d+$/.test(command[0]!);
  const report = isPid ? await preflightProcess(Number(command[0]), renew) : await preflightCommand(command, renew);
  progress.stop();
  if (options.json === true) outJson(report);
  else render(report);
  return report.coverage === 'unsupported' ? UNSUPPORTED_EXIT : 0;
}

const WIDTH = 'unsupported'.length;

function render(report: PreflightReport): void {
  const { bold, dim, green, yellow, red } = style(1);
  const paint: Record<Coverage, (text: string) => string> = { ok: green, limited: yellow, unsupported: red };
  outLine(bold(report.target));
  for (const line of report.lines) {
    outLine(`  ${paint[line.coverage](line.coverage.padEnd(WIDTH))}  ${line.subject}: ${line.text}`);
    if (line.advice !== undefined) outLine(dim(`  ${''.padEnd(WIDTH)}  → ${line.advice}`));
  }
  const of = (coverage: Coverage): number => report.lines.filter((l) => l.coverage === coverage).length;
  const summary: Record<Coverage, string> = {
    ok: 'It can be recorded and replayed.',
    limited: `It can be recorded and replayed, with ${plural(of('limited'), 'limitation')}: see above.`,
    unsupported: `It cannot be recorded as it is: ${plural(of('unsupported'), 'obstacle')}, see above.`,
  };
  outLine(paint[report.coverage](summary[report.coverage]));
}
