// `understudy reinstate` and `understudy switchover`: things that take a while, shown while they go on.
//
// Invariant: what is shown comes from the daemon that does it; a command that ends early changes nothing but, on Ctrl-C before the commit
// point of a switchover, calls that off.
import type { ReinstateAnswer, ServiceRow, SwitchoverStage, SwitchoverStatus } from '../../controller/host/api.js';
import { askDaemon, connectDaemon, type Target } from '../../controller/host/client.js';
import type { Peer } from '../../controller/wire/peer.js';
import { UnderstudyError } from '../../journal/src/errors.js';
import { bytes, duration } from '../format.js';
import { outJson, outLine, Progress, style, warn } from '../output.js';

const LOOK_EVERY_MS = 100;

type Options = Target & { json?: boolean };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// ---- reinstate -------------------------------------------------------------------------------------------------------

export async function reinstate(service: string, options: Options & { to?: string }): Promise<number> {
  const peer = await connectDaemon(options);
  const begun = Date.now();
  let row: ServiceRow | undefined;
  const progress = new Progress(options.json === true ? 'never' : 'auto', () => reinsertionText(service, row)).start();
  try {
    const params = { service, ...(options.to === undefined ? {} : { to: options.to }) };
    const asked = (await peer.request('service.reinstate', params)) as ReinstateAnswer;
    for (;;) {
      row = (await peer.request('service.row', { service })) as ServiceRow;
      const failures = row.reinsertion?.failures ?? 0;
      if (row.state === 'protected' && row.backup === asked.to) break;
      if (failures > asked.failures) throw failedTo(asked, row.reinsertion!.failure);
      if (!['unprotected', 'suspended', 'protected'].includes(row.state))
        throw failedTo(asked, `the service is ${row.state}${row.reason === '' ? '' : ` (${row.reason})`}`);
      await sleep(LOOK_EVERY_MS);
    }
    progress.stop();
    const { primary, backup, epoch, reinsertion } = row;
    const tookMs = Date.now() - begun;
    if (options.json === true) outJson({ service, primary, backup, epoch, tookMs, reinsertion });
    else
      outLine(
        `${service} is ${style(1).green(`protected by ${backup}`)} again, epoch ${epoch}, after ${duration(tookMs)}`,
      );
    return 0;
  } finally {
    progress.stop();
    peer.close();
  }
}

function failedTo({ service, to }: ReinstateAnswer, why: string): UnderstudyError {
  return new UnderstudyError('E_SERVICE_STATE', `${service}: ${to} has not become its backup: ${why}`, {
    hint: `The service goes on as before. 'understudy service history ${service}' has what happened on both hosts.`,
  });
}

/** Where a new backup is on its way, in words; for `list`, too. */
export function reinsertionText(service: string, row: ServiceRow | undefined): string {
  const reinsertion = row?.reinsertion;
  if (reinsertion === null || reinsertion === undefined) return `${service}: asking for a new backup`;
  const { stage, host, sentBytes, totalBytes, failures, failure } = reinsertion;
  const sent =
    totalBytes === 0
      ? ''
      : `, ${bytes(sentBytes)} of ${bytes(totalBytes)} (${Math.floor((100 * Math.min(sentBytes, totalBytes)) / totalBytes)} %)`;
  switch (stage) {
    case 'idle':
      return `${service}: no backup after ${failures} ${failures === 1 ? 'attempt' : 'attempts'}; ${failure}`;
    case 'preparing':
      return `${service}: ${host} prepares to become its backup`;
    case 'transferring':
      return `${service}: synchronising with ${host}${sent}`;
    case 'closing':
      return `${service}: ${host} has caught up; outputs wait for it`;
    case 'confirming':
      return `${service}: ${host} has caught up; the coordinator is asked`;
  }
}

// ---- switchover ------------------------------------------------------------------------------------------------------

interface SwitchoverOptions extends Options {
  to?: string;
  at?: number;
  dryRun?: boolean;
  cancel?: boolean;
}

export async function switchover(service: string, options: SwitchoverOptions): Promise<number> {
  if (options.cancel === true) return await cancel(service, options);
  const peer = await connectDaemon(options);
  try {
    const params = {
      service,
      ...(options.to === undefined ? {} : { to: options.to }),
      ...(options.at === undefined ? {} : { atMs: options.at }),
      dryRun: options.dryRun === true,
    };
    const first = (await peer.request('service.switchover', params)) as SwitchoverStatus;
    if (first.state === 'scheduled') {
      if (options.json === true) outJson(first);
      else outLine(`${service} moves from ${first.from} to ${first.to} at ${first.at}, if all checks pass then`);
      return 0;
    }
    return show(await follow(peer, first, options.json === true), options.json === true);
  } finally {
    peer.close();
  }
}

/** Shows each stage when it is over; Ctrl-C calls the switchover off, if it still can be. */
async function follow(peer: Peer, first: SwitchoverStatus, json: boolean): Promise<SwitchoverStatus> {
  const { service, from } = first;
  let status = first;
  let shown = 0;
  const onInterrupt = (): void => {
    peer
      .request('service.switchover-cancel', { service, on: from })
      .catch((error: unknown) => warn(error instanceof Error ? error.message : String(error)));
  };
  process.on('SIGINT', onInterrupt);
  const running = (): SwitchoverStage | undefined => status.stages.find(({ state }) => state === 'running');
  const progress = new Progress(json ? 'never' : 'auto', () => `${service}: ${running()?.stage ?? ''} ...`).start();
  try {
    for (;;) {
      for (
        let next = status.stages[shown];
        next?.state === 'ok' || next?.state === 'failed';
        next = status.stages[++shown]
      )
        if (!json) outLine(stageText(next));
      if (!['checking', 'committed'].includes(status.state)) return status;
      await sleep(LOOK_EVERY_MS);
      status = (await peer.request('service.switchover-status', { service, on: from })) as SwitchoverStatus;
    }
  } finally {
    progress.stop();
    process.off('SIGINT', onInterrupt);
  }
}

function stageText({ stage, state, detail }: SwitchoverStage): string {
  const { green, red } = style(1);
  return `${state === 'ok' ? green('ok    ') : red('failed')}  ${stage.padEnd(9)}  ${detail}`;
}

function show(status: SwitchoverStatus, json: boolean): number {
  const { service, from, to, state, epoch, tookMs, reason, stages } = status;
  if (json) outJson(status);
  if (state === 'failed' || state === 'aborted') {
    const committed = stages.find(({ stage }) => stage === 'hand-over')?.state ?? 'waiting';
    throw new UnderstudyError(
      'E_SERVICE_STATE',
      `${service}: the switchover to ${to} ${state === 'failed' ? 'failed' : 'was called off'}: ${reason}`,
      {
        hint:
          committed === 'waiting'
            ? 'Nothing was changed; the service goes on where it was.'
            : `It was past its commit point: 'understudy list' and 'understudy service history ${service}' show what is.`,
      },
    );
  }
  if (!json) {
    if (state === 'ready') outLine(`${service} could move from ${from} to ${to} now; nothing was changed`);
    else outLine(`${service} moved from ${from} to ${to}, epoch ${epoch}, in ${duration(tookMs ?? 0)}`);
  }
  return 0;
}

async function cancel(service: string, options: Options): Promise<number> {
  const status = await askDaemon<SwitchoverStatus>(options, 'service.switchover-cancel', { service });
  if (options.json === true) outJson(status);
  else outLine(`${service}: the switchover to ${status.to} is called off`);
  return 0;
}
