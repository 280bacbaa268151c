// Frames on a control connection: a length (u32, big endian), then that many bytes of JSON.
//
// Invariants:
//  - A length beyond the bound is refused before anything of that size is kept: a stranger cannot make us buffer.
//  - Whatever arrives, push() either returns whole messages or throws a FrameError; the connection is then worthless.
//
// Must not: know what the messages mean.

/** One control message is a handful of names and numbers; a service's definition is the largest. */
export const FRAME_BYTES_MAX = 1 << 20;
const HEADER_BYTES = 4;

export class FrameError extends Error {}

export function encodeFrame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  if (body.length > FRAME_BYTES_MAX)
    throw new FrameError(`a message of ${body.length} bytes is above ${FRAME_BYTES_MAX}`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

export class FrameDecoder {
  private chunks: Buffer[] = [];
  private bytes = 0;

  push(chunk: Buffer): unknown[] {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    const messages: unknown[] = [];
    for (;;) {
      if (this.bytes < HEADER_BYTES) return messages;
      if (this.chunks[0]!.length < HEADER_BYTES) this.join();
      const size = this.chunks[0]!.readUInt32BE(0);
      if (size === 0 || size > FRAME_BYTES_MAX) {
        throw new FrameError(`a frame of ${size} bytes; between 1 and ${FRAME_BYTES_MAX} are possible`);
      }
      if (this.bytes < HEADER_BYTES + size) return messages;
      if (this.chunks[0]!.length < HEADER_BYTES + size) this.join();
      const head = this.chunks[0]!;
      const body = head.toString('utf8', HEADER_BYTES, HEADER_BYTES + size);
      this.bytes -= HEADER_BYTES + size;
      if (head.length === HEADER_BYTES + size) this.chunks.shift();
      else this.chunks[0] = head.subarray(HEADER_BYTES + size);
      try {
        messages.push(JSON.parse(body) as unknown);
      } catch {
        throw new FrameError('a frame that is not JSON');
      }
    }
  }

  private join(): void {
    this.chunks = [Buffer.concat(this.chunks)];
  }
}
