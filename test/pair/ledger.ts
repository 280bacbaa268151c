// What clients of the simulated world have seen, and what must be true of it: the invariants of outputs.
//
// Must not: be lenient. A violation throws, through `fail`.
import type { Output } from './world-model.js';

export class Ledger {
  readonly outputs: Output[] = [];
  /** Of the current start of the service: what the last takeover began with, and in which epoch. */
  private base: { epoch: number; log: string[] } = { epoch: 0, log: [] };
  /** The last epoch that has let something out, and when it began to. */
  private latest = { generation: 0, epoch: 0, first: 0 };
  private generation = 0;

  constructor(
    private readonly mayLose: boolean,
    private readonly fail: (what: string) => never,
  ) {}

  startedAnew(generation: number): void {
    this.generation = generation;
    this.base = { epoch: 0, log: [] };
  }

  released(out: Output): void {
    const { host, id, index, epoch, generation } = out;
    if (generation !== this.generation) this.fail(`${host} lets out ${id} of a service that was started anew since`);
    // A takeover may have happened since: what comes after it from the old primary must be what the new one holds too.
    if (!this.mayLose && epoch < this.base.epoch && this.base.log[index] !== id)
      this.fail(
        `${host} lets out ${id} (output ${index}) in epoch ${epoch}; epoch ${this.base.epoch} has ${this.base.log[index] ?? 'nothing'} there`,
      );
    const { latest } = this;
    if (this.mayLose && latest.generation === generation && latest.epoch > epoch)
      this.fail(
        `${host} lets out ${id} in epoch ${epoch}, after epoch ${latest.epoch} began to at ${latest.first.toFixed(2)}`,
      );
    if (latest.generation !== generation || latest.epoch < epoch) this.latest = { generation, epoch, first: out.t };
    this.outputs.push(out);
  }

  takenOver(log: readonly string[], epoch: number): void {
    for (const out of this.mayLose ? [] : this.outputs) {
      if (out.generation === this.generation && log[out.index] !== out.id)
        this.fail(
          `epoch ${epoch} begins without ${out.id} (output ${out.index}), which epoch ${out.epoch} had let out`,
        );
    }
    this.base = { epoch, log: [...log] };
  }
}
