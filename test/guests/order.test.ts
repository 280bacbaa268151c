// Guest programs about order: signals, threads, futexes, processes, and races.
import { guestSuite } from '../harness/guest-suite.js';
import { ORDER } from '../harness/families.js';

guestSuite('guests: signals, threads, processes, races', (guest) => ORDER.test(guest.name));
