// What a client is told to have arrived, the backup has. The backup stops (its host hangs): from then on, and until the primary goes on
// alone by the coordinator's leave, no packet of the primary may acknowledge a byte that came after.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { Capture } from '../harness/capture.js';
import { until } from '../harness/process.js';
import { cannot, onRig, protectRedis, SERVICE, untilState } from './scene.js';

// One connection: questions, their answers, and when a line comes in, another one, of several segments: the kernel acknowledges those at
// once, not with its answer. Each answer is said.
const DIALOGUE = `
exec 3<>/dev/tcp/$0/6379
for i in $(seq 100); do printf 'PING\\r\\n' >&3; read -r answer <&3; done
echo "first $answer"
read -r go
printf "SET key %06000d\\r\\n" 1 >&3
read -r answer <&3
echo "second $answer"
`;

// Long enough for what an eager kernel would acknowledge, on a slow machine too.
const PATIENT = { detection: { heartbeatMs: 10, deadlineMs: 500, leaseMs: 400 } };

describe.skipIf(cannot)('acknowledgements', () => {
  it(
    'do not run ahead of the backup',
    onRig(async (rig) => {
      await protectRedis(rig);
      const capture = await Capture.start(rig);
      const client = rig.spawn('c', 'dialogue', ['bash', '-c', DIALOGUE, rig.vip], 'pipes');
      let said = '';
      client.stdout!.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await until('the first answer', () => (said.includes('first +PONG') ? true : undefined));
      // The last acknowledgement of what was said so far has left by then.
      await sleep(200);

      rig.signalAll('b', 'SIGSTOP');
      const stopped = Date.now() / 1000;
      client.stdin!.write('go\n');
      await until('the second answer', () => (said.includes('second +OK') ? true : undefined));
      await untilState(rig, 'a', 'unprotected', 'primary');
      // Noticed after the deadline; the coordinator is asked after that.
      const lost = (await rig.history('a', SERVICE)).find(({ text }) => text.includes('outputs are held'));
      const noticed = Date.parse(lost!.at) / 1000;
      expect(noticed - stopped).toBeGreaterThan(0.3);

      // The connection of the dialogue is the one that was opened last. tcpdump counts from the answer to its SYN.
      const packets = (await capture.packets()).filter(({ from, text }) => from === 'a' && text.includes('.6379 >'));
      const opening = packets.findLast(({ text }) => text.includes('Flags [S.]'))!;
      const to = /> (\S+):/.exec(opening.text)![1]!;
      const numbers = packets
        .filter(({ text }) => text.includes(`> ${to}:`) && !text.includes('Flags [S.]'))
        .map(({ at, text }) => ({ at, ack: Number(/ ack (\d+)/.exec(text)?.[1] ?? 0), text }));
      const before = Math.max(...numbers.filter(({ at }) => at < stopped).map(({ ack }) => ack));
      // 6 bytes a question: what was acknowledged before is all of the first hundred, so the check below means something.
      expect(before).toBe(1 + 100 * 6);
      expect(numbers.filter(({ at, ack }) => at > stopped && at < noticed && ack > before)).toEqual([]);
      expect(Math.max(...numbers.map(({ ack }) => ack))).toBeGreaterThan(before);
    }, PATIENT),
  );
});
