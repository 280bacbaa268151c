// SHA-256 of what is in memory, as hexadecimal digits.
//
// Node's own module for it takes longer to load than a short guest runs, so whoever has another implementation at hand may provide
// it; journals stay readable without.

export type Sha256 = (data: Uint8Array) => string;

let provided: Sha256 | undefined;

export function provideSha256(implementation: Sha256): void {
  provided = implementation;
}

export function sha256(data: Uint8Array): string {
  if (provided !== undefined) return provided(data);
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(data).digest('hex');
}
