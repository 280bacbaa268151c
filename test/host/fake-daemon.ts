// A daemon with the fake data plane, as a process: for tests that kill, freeze or cut it. `node fake-daemon.js CONFIG`.
// SIGUSR2 ends the guests that it runs as primary, as if they had been killed; SIGWINCH makes their replicas seem far behind.
import { readHostConfig } from '../../controller/config/host-config.js';
import { HostDaemon } from '../../controller/host/daemon.js';
import { FakePlane } from './fake-plane.js';

const plane = new FakePlane();
const daemon = await HostDaemon.start({
  config: readHostConfig(process.argv[2]!),
  plane,
  log: (level, text) => process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`),
  failStop: (reason) => {
    process.stderr.write(`fail-stop: ${reason}\n`);
    process.exit(70);
  },
});
process.on('SIGUSR2', () => {
  for (const primary of plane.primaries) if (!primary.closed && !primary.fenced) primary.dieBy(9);
});
process.on('SIGWINCH', () => {
  for (const primary of plane.primaries) primary.lagBytes = 5 << 20;
});
process.on('SIGTERM', () => {
  void daemon.stop().then(() => process.exit(0));
});
process.stdout.write('ready\n');
