// Checking of data that came from outside, with messages that a person can act on.
//
// Must not: coerce or fill in. What is checked stays what it was, so that two sides never read one message differently.
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';

const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, verbose: true });

export type Schema = Record<string, unknown>;
export type Check = ValidateFunction;

export function compileSchema(schema: Schema): ValidateFunction {
  return ajv.compile(schema);
}

/** Where in the value, and what is wrong there. */
export function describeError(error: ErrorObject): string {
  const at = error.instancePath === '' ? 'the message' : error.instancePath.slice(1).replaceAll('/', '.');
  switch (error.keyword) {
    case 'additionalProperties':
      return `${at}: '${String(error.params['additionalProperty'])}' is not known here`;
    case 'enum':
      return `${at} must be one of ${(error.params['allowedValues'] as unknown[]).map(String).join(', ')}`;
    case 'const':
      return `${at} must be ${JSON.stringify(error.params['allowedValue'])}`;
    case 'required':
      return `${at}: '${String(error.params['missingProperty'])}' is missing`;
    default:
      return `${at} ${error.message ?? 'is wrong'}`;
  }
}

export function describeErrors(check: ValidateFunction): string {
  return (check.errors ?? []).map(describeError).join('; ');
}
