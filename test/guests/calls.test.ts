// Guest programs about everything else: memory, files, sockets, terminals, IPC, instructions, call sites.
import { guestSuite } from '../harness/guest-suite.js';
import { ORDER } from '../harness/families.js';

guestSuite('guests: memory, files, sockets, instructions', (guest) => !ORDER.test(guest.name));
