// Turns errors of the addon into the product's errors. The only place that knows both.
import { UnderstudyError } from '../journal/src/errors.js';
import {
  AddonMissingError,
  CheckpointError,
  FileError,
  ImageError,
  JournalDirError,
  LaunchError,
  NativeError,
} from '../native/index.js';

export function toUnderstudyError(error: unknown, command?: string): unknown {
  if (!(error instanceof NativeError)) return error;
  if (error instanceof AddonMissingError || error instanceof ImageError || error instanceof FileError) {
    return new UnderstudyError('E_NATIVE_UNAVAILABLE', error.message, { hint: 'Run scripts/setup.', cause: error });
  }
  if (error instanceof JournalDirError) {
    return new UnderstudyError('E_JOURNAL_UNWRITABLE', error.message, {
      hint: 'Check free space and permissions of the directory, or name another with -o.',
      cause: error,
    });
  }
  if (error instanceof CheckpointError) {
    if (error.code === 'CHECKPOINT_MISSING')
      return new UnderstudyError('E_CHECKPOINT_NOT_FOUND', error.message, { cause: error });
    if (error.code === 'CHECKPOINT_DAMAGED') {
      return new UnderstudyError('E_CHECKPOINT_DAMAGED', error.message, {
        hint: 'An older checkpoint, or a replay from the beginning, does without it.',
        cause: error,
      });
    }
    return new UnderstudyError('E_CHECKPOINT_FAILED', error.message, { cause: error });
  }
  if (error instanceof LaunchError) {
    if (error.errno === 'ENOENT') {
      return new UnderstudyError(
        'E_COMMAND_NOT_FOUND',
        command === undefined ? error.message : `${command}: ${error.message}`,
        {
          hint: 'If the file exists, the interpreter that it names (#! line or dynamic loader) does not.',
          cause: error,
        },
      );
    }
    if (error.errno === 'EACCES' || error.errno === 'ENOEXEC') {
      return new UnderstudyError('E_COMMAND_NOT_EXECUTABLE', error.message, { cause: error });
    }
    return new UnderstudyError('E_LAUNCH', error.message, {
      hint:
        error.errno === 'EPERM'
          ? 'Tracing may be forbidden here: in a container it needs a seccomp profile that allows ptrace.'
          : "'understudy preflight -- COMMAND' says what of a program is supported.",
      cause: error,
    });
  }
  return new UnderstudyError('E_INTERNAL', error.message, { cause: error });
}
