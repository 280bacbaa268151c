// A cursor over msgpack bytes. Role: find where events begin and end, and read a few of their fields, without building objects:
// a journal of millions of events is walked for its index, its recovery and most filters, and decoded only where it is shown.
// The generated codec (journal/generated) decodes whole events.
//
// Invariants:
//  - Never reads beyond the bytes given: running out throws MsgpackError.
//  - Nesting is bounded, so that damaged bytes cannot exhaust the stack.

export class MsgpackError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(`${message} at byte ${offset}`);
    this.name = 'MsgpackError';
  }
}

export type MsgpackValue = number | bigint | boolean | string | Uint8Array | null | MsgpackValue[];

const DEPTH_MAX = 16;
const utf8 = new TextDecoder('utf-8');

export class Cursor {
  private readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    public pos = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.pos >= this.bytes.length;
  }

  private take(n: number): number {
    const at = this.pos;
    if (at + n > this.bytes.length) throw new MsgpackError('msgpack value is cut off', at);
    this.pos = at + n;
    return at;
  }

  private byte(): number {
    return this.bytes[this.take(1)]!;
  }

  /** Steps over one value. */
  skip(): void {
    // Values still to step over, instead of recursion.
    let left = 1;
    while (left > 0) {
      left--;
      const at = this.pos;
      const b = this.byte();
      if (b <= 0x7f || b >= 0xe0) continue;
      if (b >= 0xa0 && b <= 0xbf) this.take(b & 0x1f);
      else if (b >= 0x90 && b <= 0x9f) left += b & 0x0f;
      else if (b <= 0x8f) left += 2 * (b & 0x0f);
      else {
        switch (b) {
          case 0xc0:
          case 0xc2:
          case 0xc3:
            break;
          case 0xcc:
          case 0xd0:
            this.take(1);
            break;
          case 0xcd:
          case 0xd1:
            this.take(2);
            break;
          case 0xca:
          case 0xce:
          case 0xd2:
            this.take(4);
            break;
          case 0xcb:
          case 0xcf:
          case 0xd3:
            this.take(8);
            break;
          case 0xc4:
          case 0xd9:
            this.take(this.byte());
            break;
          case 0xc5:
          case 0xda:
            this.take(this.view.getUint16(this.take(2)));
            break;
          case 0xc6:
          case 0xdb:
            this.take(this.view.getUint32(this.take(4)));
            break;
          case 0xdc:
            left += this.view.getUint16(this.take(2));
            break;
          case 0xdd:
            left += this.view.getUint32(this.take(4));
            break;
          default:
            throw new MsgpackError(`byte 0x${b.toString(16)} begins no value of the journal`, at);
        }
        // Every value takes a byte at least.
        if (left > this.bytes.length - this.pos) throw new MsgpackError('msgpack value is cut off', at);
      }
    }
  }

  /** Reads an array's header: the number of its elements. */
  array(): number {
    const at = this.pos;
    const b = this.byte();
    if (b >= 0x90 && b <= 0x9f) return b & 0x0f;
    if (b === 0xdc) return this.view.getUint16(this.take(2));
    if (b === 0xdd) return this.view.getUint32(this.take(4));
    throw new MsgpackError('expected an array', at);
  }

  /** Reads an integer; a number where it is exact, otherwise a bigint. */
  integer(): number | bigint {
    const at = this.pos;
    const b = this.byte();
    if (b <= 0x7f) return b;
    if (b >= 0xe0) return b - 0x100;
    switch (b) {
      case 0xcc:
        return this.byte();
      case 0xcd:
        return this.view.getUint16(this.take(2));
      case 0xce:
        return this.view.getUint32(this.take(4));
      case 0xcf:
        return narrow(this.view.getBigUint64(this.take(8)));
      case 0xd0:
        return this.view.getInt8(this.take(1));
      case 0xd1:
        return this.view.getInt16(this.take(2));
      case 0xd2:
        return this.view.getInt32(this.take(4));
      case 0xd3:
        return narrow(this.view.getBigInt64(this.take(8)));
      default:
        throw new MsgpackError('expected an integer', at);
    }
  }

  /** Reads an integer that is small by its meaning (a kind, a count, a thread). */
  int(): number {
    const at = this.pos;
    const value = this.integer();
    if (typeof value !== 'number') throw new MsgpackError('integer is out of range', at);
    return value;
  }

  /** Reads any value. Byte strings are views of the buffer, not copies. */
  value(depth = 0): MsgpackValue {
    const at = this.pos;
    if (depth > DEPTH_MAX) throw new MsgpackError('arrays are nested too deeply', at);
    const b = this.bytes[at];
    if (b === undefined) throw new MsgpackError('msgpack value is cut off', at);
    if ((b >= 0x90 && b <= 0x9f) || b === 0xdc || b === 0xdd) {
      const n = this.array();
      if (n > this.bytes.length - this.pos) throw new MsgpackError('msgpack value is cut off', at);
      const items: MsgpackValue[] = [];
      for (let i = 0; i < n; i++) items.push(this.value(depth + 1));
      return items;
    }
    if (b >= 0xa0 && b <= 0xbf) {
      this.pos++;
      return this.text(b & 0x1f);
    }
    switch (b) {
      case 0xc0:
        this.pos++;
        return null;
      case 0xc2:
      case 0xc3:
        this.pos++;
        return b === 0xc3;
      case 0xc4:
        this.pos++;
        return this.binary(this.byte());
      case 0xc5:
        this.pos++;
        return this.binary(this.view.getUint16(this.take(2)));
      case 0xc6:
        this.pos++;
        return this.binary(this.view.getUint32(this.take(4)));
      case 0xd9:
        this.pos++;
        return this.text(this.byte());
      case 0xda:
        this.pos++;
        return this.text(this.view.getUint16(this.take(2)));
      case 0xdb:
        this.pos++;
        return this.text(this.view.getUint32(this.take(4)));
      case 0xca:
        this.pos++;
        return this.view.getFloat32(this.take(4));
      case 0xcb:
        this.pos++;
        return this.view.getFloat64(this.take(8));
      default:
        return this.integer();
    }
  }

  private binary(n: number): Uint8Array {
    const at = this.take(n);
    return this.bytes.subarray(at, at + n);
  }

  private text(n: number): string {
    // Paths may hold any byte; what is not UTF-8 is shown as U+FFFD.
    return utf8.decode(this.binary(n));
  }
}

function narrow(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
