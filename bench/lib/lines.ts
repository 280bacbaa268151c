// What a tool of the benchmarks says on its standard output.
import type { ChildProcess } from 'node:child_process';

/** What a child says, line by line; an end before the awaited line is an error. */
export class Lines {
  private text = '';
  private ended = false;
  private wake: (() => void) | undefined;
  constructor(
    private readonly label: string,
    child: ChildProcess,
  ) {
    child.stdout!.setEncoding('utf8').on('data', (data: string) => {
      this.text += data;
      this.wake?.();
    });
    child.once('close', () => {
      this.ended = true;
      this.wake?.();
    });
  }
  async next(timeoutMs: number): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const end = this.text.indexOf('\n');
      if (end >= 0) {
        const line = this.text.slice(0, end);
        this.text = this.text.slice(end + 1);
        return line;
      }
      if (this.ended) throw new Error(`${this.label} has ended without an answer`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${this.label} gave no answer in ${timeoutMs / 1000} s`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
