// `understudy host start|check|status|key|example` and `understudy witness start`: the programs that stay.
import { parseEndpoint, readHostConfig, HOST_EXAMPLE } from '../../controller/config/host-config.js';
import { Witness } from '../../controller/coordinator/witness.js';
import type { HostStatus } from '../../controller/host/api.js';
import { askDaemon, type Target } from '../../controller/host/client.js';
import { HostDaemon } from '../../controller/host/daemon.js';
import { nativePlane } from '../../controller/host/native-plane.js';
import { productVersion } from '../../controller/paths.js';
import { readPairKeys, writeNewKey } from '../../controller/wire/key.js';
import { UnderstudyError } from '../../journal/src/errors.js';
import { err, errJson, out, outJson, outLine, style } from '../output.js';

const FAIL_STOP_EXIT_CODE = 70;

type Level = 'info' | 'warning' | 'error';

function logger(json: boolean): (level: Level, text: string) => void {
  const { red, yellow, dim } = style(2);
  return (level, text) => {
    const at = new Date().toISOString();
    if (json) return errJson({ at, level, text });
    const shown = level === 'error' ? red(`error: ${text}`) : level === 'warning' ? yellow(`warning: ${text}`) : text;
    err(`${dim(at)} ${shown}\n`);
  };
}

/** Resolves at the first SIGINT or SIGTERM. A second one ends the process at once, as a crash would. */
function untilAsked(log: (level: Level, text: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const handle = (signal: string): void => {
      if (asked) {
        log('error', `${signal} again: ending at once`);
        process.exit(FAIL_STOP_EXIT_CODE);
      }
      asked = true;
      log('info', `${signal}: ending; once more ends it at once`);
      resolve();
    };
    process.on('SIGINT', handle);
    process.on('SIGTERM', handle);
  });
}

export async function hostStart(options: { config: string; json?: boolean }): Promise<number> {
  const log = logger(options.json === true);
  const config = readHostConfig(options.config);
  // Before anything is started, so that Ctrl-C during the start is not lost.
  const asked = untilAsked(log);
  const daemon = await HostDaemon.start({
    config,
    plane: nativePlane(config.stateDir),
    log,
    failStop: (reason) => {
      log('error', `${reason}. The daemon ends, and everything of it`);
      process.exit(FAIL_STOP_EXIT_CODE);
    },
  });
  log(
    'info',
    `host ${config.name} is ready: control ${config.control.address}:${config.control.port}, socket ${daemon.socket}`,
  );
  await asked;
  await daemon.stop();
  return 0;
}

export function hostCheck(file: string, options: { json?: boolean }): number {
  const config = readHostConfig(file);
  readPairKeys(config.key);
  if (options.json === true) outJson(config);
  else
    outLine(
      `${file}: ok (host ${config.name}, ${config.peers.length} peers, coordinator ${config.coordinator.driver})`,
    );
  return 0;
}

export async function hostStatus(options: Target & { json?: boolean }): Promise<number> {
  const status = await askDaemon<HostStatus>(options, 'host.status');
  if (options.json === true) {
    outJson(status);
    return 0;
  }
  const { green, red } = style(1);
  const state = (up: boolean, reason: string): string => (up ? green('reachable') : red(`not reachable: ${reason}`));
  outLine(`host         ${status.name} (process ${status.pid}, since ${status.startedAt}, ${status.product})`);
  outLine(
    `coordinator  ${status.coordinator.description}: ${state(status.coordinator.reachable, status.coordinator.reason)}`,
  );
  for (const { name, connected, reason } of status.peers) outLine(`peer         ${name}: ${state(connected, reason)}`);
  return 0;
}

export function hostKey(file: string): number {
  writeNewKey(file);
  outLine(`${file}: a new key. Copy it, readable by its owner only, to every host of the pair and to the witness.`);
  return 0;
}

export function hostExample(): number {
  out(HOST_EXAMPLE);
  return 0;
}

export async function witnessStart(options: {
  listen: string;
  data: string;
  key: string;
  json?: boolean;
}): Promise<number> {
  const at = parseEndpoint(options.listen);
  if (at === undefined) throw new UnderstudyError('E_USAGE', `--listen ${options.listen}: ADDRESS:PORT is wanted`);
  const log = logger(options.json === true);
  const { control } = readPairKeys(options.key);
  const asked = untilAsked(log);
  const witness = await Witness.open(options.data);
  const identity = { name: 'witness', product: `understudy ${productVersion()}` };
  await witness.listen({ ...at, key: control }, identity, log);
  log('info', `the witness is ready at ${options.listen}, records in ${options.data}`);
  await asked;
  await witness.close();
  return 0;
}
