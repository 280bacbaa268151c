// `understudy journal verify`.
import { openJournal } from '../../journal/src/catalogue.js';
import { exitCodeOf } from '../../journal/src/errors.js';
import { verify, type Finding } from '../../journal/src/verify.js';
import { bytes, plural } from '../format.js';
import { outJson, outLine, Progress, style } from '../output.js';

export async function journalVerify(path: string, options: { json?: boolean }): Promise<number> {
  let done = 0;
  let total = 0;
  let what = 'verifying';
  const progress = new Progress('auto', () => `${what}: ${bytes(done)} of ${bytes(total)}`);
  const renew = (n: number, of: number): void => {
    done = n;
    total = of;
    progress.tick();
  };
  what = 'unpacking';
  const journal = await openJournal(path, renew);
  try {
    what = 'verifying';
    const report = await verify(journal.dir, renew);
    progress.stop();
    if (options.json === true) {
      outJson({ path, ...report });
    } else {
      const { red, green, yellow } = style(1);
      for (const f of report.findings) {
        const at = f.offset === undefined ? '' : `, offset ${f.offset}`;
        outLine(`${label(f.level, red, yellow)} ${f.file}${at}: ${f.text}`);
      }
      const { prefix } = report;
      const held = `${plural(prefix.lastSeq - prefix.beginSeq, 'event')} in ${plural(prefix.segments, 'segment')}, ${plural(report.blobs, 'file')}, ${bytes(report.bytesTotal)}`;
      if (report.ok) outLine(`${green('ok')}: every byte is as it was written (${held})`);
      else if (report.findings.every((f) => f.level !== 'error'))
        outLine(`${yellow('damaged')}, but only in what can be rebuilt (${held})`);
      else
        outLine(
          `${red('damaged')}; the longest valid prefix has ${plural(prefix.lastSeq - prefix.beginSeq, 'event')}, and replays`,
        );
    }
    return report.ok ? 0 : exitCodeOf('E_JOURNAL_DAMAGED');
  } finally {
    await journal.close();
  }
}

function label(level: Finding['level'], red: (t: string) => string, yellow: (t: string) => string): string {
  switch (level) {
    case 'error':
      return red('error');
    case 'derived':
      return yellow('index');
    case 'note':
      return 'note ';
  }
}
