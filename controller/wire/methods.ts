// A table of methods that a control connection answers: each with the schema of its parameters.
//
// Invariant: a handler never sees parameters that its schema refuses.
import { UnderstudyError } from '../../journal/src/errors.js';
import type { Peer } from './peer.js';
import { compileSchema, describeErrors, type Schema } from './schema.js';

export interface Method {
  params: Schema;
  handle: (params: never, peer: Peer) => unknown;
}

export type MethodTable = Record<string, Method>;

/** The parameters' type is the caller's statement about the schema beside it. */
export function method<P>(params: Schema, handle: (params: P, peer: Peer) => unknown): Method {
  return { params, handle };
}

export function objectSchema(properties: Record<string, Schema>, optional: readonly string[] = []): Schema {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((key) => !optional.includes(key)),
    additionalProperties: false,
  };
}

export function dispatcher(table: MethodTable): (name: string, params: unknown, peer: Peer) => Promise<unknown> {
  const checks = new Map(Object.entries(table).map(([name, { params }]) => [name, compileSchema(params)]));
  return async (name, params, peer) => {
    // Every connection answers this one: it is how the other side knows that we live.
    if (name === 'ping') return 'pong';
    const check = checks.get(name);
    if (check === undefined)
      throw new UnderstudyError('E_REFUSED', `there is no method '${name}' here`, {
        hint: 'Is the other side of another version?',
      });
    const given = params ?? {};
    if (!check(given)) throw new UnderstudyError('E_REFUSED', `'${name}': ${describeErrors(check)}`);
    return await table[name]!.handle(given as never, peer);
  };
}
