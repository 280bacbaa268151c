// What front ends use.
export { errnoOf, ERROR_CODES, exitCodeOf, messageOf, UnderstudyError, type ErrorCode } from '../journal/src/errors.js';
export * from './machine.js';
export * from './preflight.js';
export type * from './host/api.js';
export { cacheDir, productRoot, productVersion } from './paths.js';
export * from './record-session.js';
export * from './replay-session.js';
export {
  REGISTER_NAMES,
  type Divergence,
  type DivergenceKind,
  type RecordStats,
  type ReplayStats,
  type StackFrame,
} from '../native/index.js';
