// Reading a configuration file: YAML with positions, checked against a published schema, errors that name file and line.
//
// Invariants:
//  - All that is wrong is reported at once, each with its line.
//  - What is returned satisfies the schema; nothing is coerced.
//
// Must not: know what the fields mean.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ErrorObject } from 'ajv';
import { isNode, LineCounter, parseDocument, type Document } from 'yaml';

import { messageOf, UnderstudyError } from '../../journal/src/errors.js';
import { productRoot } from '../paths.js';
import { compileSchema, type Check, type Schema } from '../wire/schema.js';

const FILE_BYTES_MAX = 1 << 20;

export type ConfigPath = readonly (string | number)[];

export interface ConfigProblem {
  line: number;
  text: string;
}

const checks = new Map<string, Check>();

function schemaCheck(name: string): Check {
  let check = checks.get(name);
  if (check === undefined) {
    const { $schema: _dialect, ...schema } = JSON.parse(
      readFileSync(join(productRoot(), 'docs', 'schema', `${name}.schema.json`), 'utf8'),
    ) as Schema;
    check = compileSchema(schema);
    checks.set(name, check);
  }
  return check;
}

/** A file's contents with their places. */
export class ConfigSource {
  private readonly problems: ConfigProblem[] = [];

  private constructor(
    readonly file: string,
    private readonly document: Document,
    private readonly lines: LineCounter,
  ) {}

  static read(file: string): ConfigSource {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new UnderstudyError('E_CONFIG', `${file}: ${messageOf(error)}`, {
        hint: "The path of a YAML file is wanted; 'understudy host example' and 'understudy service example' print one.",
        cause: error,
      });
    }
    if (text.length > FILE_BYTES_MAX)
      throw new UnderstudyError('E_CONFIG', `${file} is too long to be a configuration`);
    return ConfigSource.parse(file, text);
  }

  static parse(file: string, text: string): ConfigSource {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
    const source = new ConfigSource(file, document, lines);
    for (const error of document.errors) {
      source.problems.push({ line: lines.linePos(error.pos[0]).line, text: `not YAML: ${error.message}` });
    }
    source.finish();
    return source;
  }

  /** The value, if it satisfies docs/schema/NAME.schema.json. Throws with all problems otherwise. */
  checked(schema: string): unknown {
    const value: unknown = this.document.toJS({ maxAliasCount: 100 });
    const check = schemaCheck(schema);
    if (!check(value)) {
      for (const error of check.errors ?? []) this.report(error);
      this.finish();
    }
    return value;
  }

  add(path: ConfigPath, text: string): void {
    this.problems.push({ line: this.lineOf(path), text });
  }

  /** Throws when anything was added. */
  finish(): void {
    if (this.problems.length === 0) return;
    const sorted = [...this.problems].sort((a, b) => a.line - b.line);
    const [first, ...rest] = sorted.map(({ line, text }) => `${this.file}:${line}: ${text}`);
    throw new UnderstudyError('E_CONFIG', [first, ...rest.map((line) => `  ${line}`)].join('\n'), {
      hint: 'All fields are explained in docs/configuration.md.',
    });
  }

  lineOf(path: ConfigPath): number {
    // The place of what is there: a missing field is missing from the nearest thing that exists.
    for (let length = path.length; length >= 0; length--) {
      const node = this.document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range !== null && node.range !== undefined)
        return this.lines.linePos(node.range[0]).line;
    }
    return 1;
  }

  private report(error: ErrorObject): void {
    const path = error.instancePath
      .split('/')
      .slice(1)
      .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
      .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const name = path.length === 0 ? 'the file' : `'${path.join('.')}'`;
    const params = error.params as Record<string, unknown>;
    switch (error.keyword) {
      case 'additionalProperties': {
        const extra = String(params['additionalProperty']);
        const known = Object.keys((error.parentSchema?.['properties'] ?? {}) as object);
        const near = nearest(extra, known);
        return this.add(
          [...path, extra],
          `'${extra}' is not a field of ${name}${near === undefined ? ` (${known.join(', ')})` : `; did you mean '${near}'?`}`,
        );
      }
      case 'required':
        return this.add(path, `${name} lacks '${String(params['missingProperty'])}'`);
      case 'enum':
        return this.add(path, `${name} must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`);
      case 'type':
        return this.add(
          path,
          `${name} must be ${[params['type']]
            .flat()
            .map((type) => TYPE_TEXT[String(type)] ?? String(type))
            .join(' or ')}`,
        );
      case 'minimum':
      case 'maximum':
        return this.add(path, `${name} must be ${String(params['comparison'])} ${String(params['limit'])}`);
      case 'pattern':
        return this.add(path, `${name} is not possible as it is: ${patternText(String(params['pattern']))}`);
      case 'propertyNames':
        return;
      default:
        return this.add(path, `${name} ${error.message ?? 'is wrong'}`);
    }
  }
}

const TYPE_TEXT: Record<string, string> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a set of fields',
};

function patternText(pattern: string): string {
  const known: Record<string, string> = {
    '^/': 'an absolute path is wanted',
    '^[a-z0-9][a-z0-9-]{0,30}$': 'lower-case letters, digits and hyphens, at most 31',
    '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$': 'letters, digits, dots, hyphens and underscores, at most 63',
    '^[^/\\s]{1,15}$': 'the name of a network interface is wanted',
    '^[A-Za-z_][A-Za-z0-9_]*$': 'the name of an environment variable is wanted',
  };
  return known[pattern] ?? `it must match ${pattern}`;
}

/** The known word that a mistyped one is, if it is one. */
function nearest(word: string, known: readonly string[]): string | undefined {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, i) => i);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      }
      row = next;
    }
    return row[b.length]!;
  };
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[_-]/g, '');
  return known
    .map((candidate) => ({ candidate, d: distance(plain(word), plain(candidate)) }))
    .filter(({ candidate, d }) => d <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.d - b.d)[0]?.candidate;
}
