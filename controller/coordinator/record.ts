// What the coordinator holds of a service: who is what, in which epoch.
//
// Invariants:
//  - Every change raises the epoch by one, and is made by compare-and-set on the revision: of two hosts that want to change the same
//    record exactly one does.
//  - A record is never deleted, so that an epoch is never given twice; a service that is over has a record without a primary.
//  - `claim` names the attempt that wrote it. A host whose answer was lost on the way recognises its own success by it.
//
// Must not: hold anything that changes without a change of role.

/** What the record is left with when there is no primary. */
export type PairOutcome = 'active' | 'ended' | 'stopped' | 'failed';

export interface PairRecord {
  service: string;
  /** The fencing token. */
  epoch: number;
  primary: string | null;
  /** The host that holds a complete replica, and so may take over. */
  backup: string | null;
  outcome: PairOutcome;
  claim: string;
  /** For people. */
  reason: string;
  /** Wall clock of the host that wrote it: for people, never compared. */
  at: string;
}

export interface Versioned {
  record: PairRecord;
  /** Rises with every write to the coordinator, never repeats. */
  revision: number;
}

/** A compare-and-set that expects it always fails, and so tells what there is. */
export const REVISION_UNKNOWN = -1;

/** A service's name is a key, a file name, and part of the names of kernel objects. */
export const SERVICE_NAME_PATTERN = '^[a-z0-9][a-z0-9-]{0,30}$';
export const HOST_NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$';

export const RECORD_SCHEMA = {
  type: 'object',
  properties: {
    service: { type: 'string', pattern: SERVICE_NAME_PATTERN },
    epoch: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    primary: { type: ['string', 'null'], pattern: HOST_NAME_PATTERN },
    backup: { type: ['string', 'null'], pattern: HOST_NAME_PATTERN },
    outcome: { enum: ['active', 'ended', 'stopped', 'failed'] },
    claim: { type: 'string', minLength: 1, maxLength: 100 },
    reason: { type: 'string', maxLength: 1000 },
    at: { type: 'string', maxLength: 40 },
  },
  required: ['service', 'epoch', 'primary', 'backup', 'outcome', 'claim', 'reason', 'at'],
  additionalProperties: false,
} as const;
