// `understudy checkpoint create`.
import { requestCheckpoint } from '../../controller/checkpoints.js';
import { bytes, count, duration, plural, shellWord } from '../format.js';
import { out } from '../output.js';

export async function checkpointCreate(recording: string, options: { json?: boolean }): Promise<number> {
  const taken = await requestCheckpoint(recording);
  if (options.json === true) {
    out(`${JSON.stringify(taken)}\n`);
    return 0;
  }
  const what = taken.existed ? 'there is a checkpoint already' : 'checkpoint taken';
  out(
    `${what} after event ${count(taken.seq)}: ${bytes(taken.pageBytes)}, ${plural(taken.processes, 'process', 'processes')}, ` +
      `${plural(taken.threads, 'thread')}; the program stood still for ${duration(taken.pauseMs)}\n` +
      `  understudy replay --from ${taken.seq} ${shellWord(taken.journal)}\n`,
  );
  return 0;
}
