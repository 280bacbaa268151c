// Every error that Understudy raises on purpose. Role: one class, one table of stable codes, from which come the
// CLI's exit code and the entry in docs/errors.md (later also the HTTP status).
//
// Invariants:
//  - A code, once published, keeps its meaning and its exit code.
//  - Every code here has a heading of the same name in docs/errors.md; a test holds the two together.
//
// Must not: be thrown for a programmer's mistake. Those are plain Errors and crash.

// Exit codes follow sysexits.h where it has a meaning that fits (64 usage, 69 unavailable, 73 can't create, 74 I/O) and use free
// numbers of its range elsewhere. A guest may end with any of these too: --json tells the two apart.
const EXIT_CODES = {
  E_USAGE: 64,
  E_JOURNAL_NOT_FOUND: 66,
  E_JOURNAL_EXISTS: 73,
  E_JOURNAL_UNWRITABLE: 73,
  E_JOURNAL_VERSION: 76,
  E_JOURNAL_DAMAGED: 74,
  E_JOURNAL_WRITE: 74,
  E_JOURNAL_END: 75,
  E_DIVERGED: 70,
  E_AGENT_FAULT: 71,
  E_MACHINE_MISMATCH: 72,
  E_NATIVE_UNAVAILABLE: 69,
  E_LAUNCH: 69,
  E_PROCESS_NOT_FOUND: 67,
  E_COMMAND_NOT_FOUND: 127,
  E_COMMAND_NOT_EXECUTABLE: 126,
  E_CONFIG: 65,
  E_HOST_UNREACHABLE: 68,
  E_SERVICE_NOT_FOUND: 67,
  E_SERVICE_STATE: 80,
  E_COORDINATOR: 79,
  E_LISTEN: 81,
  E_REFUSED: 77,
  E_CHECKPOINT_NOT_FOUND: 66,
  E_CHECKPOINT_DAMAGED: 74,
  E_CHECKPOINT_FAILED: 82,
  E_INTERNAL: 78,
} as const;

export type ErrorCode = keyof typeof EXIT_CODES;

export const ERROR_CODES = Object.keys(EXIT_CODES) as ErrorCode[];

export class UnderstudyError extends Error {
  readonly code: ErrorCode;
  /** What the user can do about it; shown below the message. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UnderstudyError';
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): number {
    return EXIT_CODES[this.code];
  }

  /** The entry in the documentation. */
  get docs(): string {
    return `docs/errors.md#${this.code.toLowerCase()}`;
  }

  toJSON(): Record<string, unknown> {
    return { code: this.code, message: this.message, hint: this.hint, docs: this.docs, exitCode: this.exitCode };
  }
}

export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[code];
}

/** The errno name of a failed Node system call, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** Text of anything thrown, for messages. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
