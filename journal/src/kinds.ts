// The few event kinds that tools which walk a journal must know without the generated codec: those that place events in threads,
// declare files, or end the journal.
//
// Must not: grow into a second schema; journal/schema is the source of truth, and a test compares these numbers with it.

export const KIND_SWITCH = -1;
export const KIND_SIGNAL = -3;
export const KIND_START = -7;
export const KIND_FILE = -8;
export const KIND_KILLED = -10;
export const KIND_END = -11;
export const KIND_NOTE = -12;
export const KIND_EXIT = -14;

/** The root thread's number in the group. */
export const ROOT_GTID = 1;
