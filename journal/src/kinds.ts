// The few event kinds that tools which walk a journal must know without decoding events: those that place events in threads, and
// those that declare files.
//
// Must not: grow into a second schema; journal/schema is the source of truth, and a test compares these numbers with it.

export const KIND_SWITCH = -1;
export const KIND_FILE = -8;

/** The root thread's number in the group. */
export const ROOT_GTID = 1;
