// The golden vectors, for both languages: values, and the bytes that every encoder must make of them.
//
// Invariants:
//  - The bytes are an independent encoder's (msgpackr), not those of the codecs that are tested with them.
//
// Must not: hold vectors of its own; they are part of the schema (events.ts).
import { Packr } from 'msgpackr';
import { golden, type GoldenValue } from '../events.js';
import { notice } from './common.js';

const packr = new Packr({ useRecords: false });
const plain = (v: GoldenValue): unknown => {
  if (Array.isArray(v)) return v.map(plain);
  if (typeof v === 'object' && v !== null) return Buffer.from(v.hex, 'hex');
  // msgpackr would make a float of it.
  if (typeof v === 'number' && (v > 0xffffffff || v < -0x80000000)) return BigInt(v);
  return v;
};
const encoded = golden.map((g) => ({ ...g, bytes: Buffer.from(packr.pack(plain(g.value))) }));

export function goldenJson(): string {
  const shown = (v: GoldenValue): unknown => {
    if (Array.isArray(v)) return v.map(shown);
    if (typeof v === 'bigint') return { int: v.toString() };
    return v;
  };
  const rows = encoded.map((g) =>
    JSON.stringify({ name: g.name, value: shown(g.value), hex: g.bytes.toString('hex') }),
  );
  return `[\n${rows.map((r) => `  ${r}`).join(',\n')}\n]\n`;
}

export function cppGolden(): string {
  const values: string[] = [];
  const emit = (v: GoldenValue): void => {
    if (Array.isArray(v)) {
      values.push(`{kGoldenArray, ${v.length}, nullptr}`);
      v.forEach(emit);
    } else if (v === null) {
      values.push('{kGoldenNil, 0, nullptr}');
    } else if (typeof v === 'string') {
      const utf8 = Buffer.from(v);
      const text = [...utf8]
        .map((b) =>
          b >= 32 && b < 127 && b !== 34 && b !== 92 ? String.fromCharCode(b) : `\\${b.toString(8).padStart(3, '0')}`,
        )
        .join('');
      values.push(`{kGoldenStr, ${utf8.length}, "${text}"}`);
    } else if (typeof v === 'object') {
      values.push(`{kGoldenBin, ${v.hex.length / 2}, "${v.hex}"}`);
    } else {
      values.push(
        `{kGoldenInt, 0x${BigInt.asUintN(64, BigInt(v)).toString(16)}ull, ${BigInt(v) > 0x7fffffffffffffffn ? '"unsigned"' : 'nullptr'}}`,
      );
    }
  };
  const vectors = encoded.map((g) => {
    const first = values.length;
    emit(g.value);
    return `    {${JSON.stringify(g.name)}, ${first}, ${values.length - first}, ${g.bytes.length},\n     "${g.bytes.toString('hex')}"},`;
  });
  return `// ${notice}
//
// The vectors of test/golden/events.json, for the agent's unit test.
#pragma once
#include <stdint.h>

enum GoldenType { kGoldenInt, kGoldenArray, kGoldenBin, kGoldenStr, kGoldenNil };
struct GoldenValue {
  GoldenType type;
  uint64_t number;   // the integer, or a count of elements or bytes
  const char* text;  // kGoldenBin: hex; kGoldenInt: not null when the number is unsigned and above INT64_MAX
};
struct GoldenVector {
  const char* name;
  unsigned first, count;  // in kGoldenValues, in order of encoding
  unsigned bytes;
  const char* hex;
};

inline constexpr GoldenValue kGoldenValues[] = {
${values.map((v) => `    ${v},`).join('\n')}
};
inline constexpr GoldenVector kGolden[] = {
${vectors.join('\n')}
};
`;
}
