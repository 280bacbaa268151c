// Preflight: what it says of programs and processes whose properties are known.
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { UnderstudyError } from '../../controller/index.js';
import { preflightCommand, preflightProcess } from '../../controller/preflight.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'understudy-test-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

describe('preflight of a command', () => {
  it('finds a plain program covered, with its libraries', async () => {
    const report = await preflightCommand(['/bin/true']);
    expect(report.coverage).not.toBe('unsupported');
    expect(report.files.some((f) => f.includes('libc.so'))).toBe(true);
    expect(report.lines.find((l) => l.subject === 'system calls')?.text).toMatch(/\d+ rewritten as jumps/);
  });

  it('follows a script to its interpreter, through env as well', async () => {
    const script = join(dir, 'script');
    writeFileSync(script, '#!/usr/bin/env sh\necho\n');
    chmodSync(script, 0o755);
    const report = await preflightCommand([script]);
    expect(report.lines.some((l) => l.subject === script && l.text.includes('/sh'))).toBe(true);
    expect(report.coverage).not.toBe('unsupported');
  });

  it('names a script whose interpreter is missing', async () => {
    const script = join(dir, 'script');
    writeFileSync(script, '#!/no/such/interpreter\n');
    chmodSync(script, 0o755);
    await expect(preflightCommand([script])).rejects.toThrow(/'\/no\/such\/interpreter', which does not exist/);
  });

  it('says that a setuid program runs without its privileges', async () => {
    const copy = join(dir, 'true');
    copyFileSync('/bin/true', copy);
    chmodSync(copy, 0o4755);
    const report = await preflightCommand([copy]);
    expect(report.lines).toContainEqual(
      expect.objectContaining({ subject: copy, coverage: 'limited', text: expect.stringContaining('setuid') }),
    );
  });

  it('does not take text for a program', async () => {
    const file = join(dir, 'text');
    writeFileSync(file, 'just text\n');
    chmodSync(file, 0o755);
    expect((await preflightCommand([file])).coverage).toBe('unsupported');
  });
});

describe('preflight of a process', () => {
  it('looks at descriptors and mappings', async () => {
    const child = spawn('sleep', ['60'], { stdio: ['pipe', 'pipe', 'ignore'] });
    await new Promise((started) => child.once('spawn', started));
    try {
      const report = await preflightProcess(child.pid!);
      expect(report.lines.some((l) => /open: (pipes|sockets)/.test(l.text))).toBe(true);
      expect(report.lines.some((l) => l.text === 'one thread')).toBe(true);
      expect(report.files.some((f) => f.includes('sleep') || f.includes('coreutils'))).toBe(true);
      expect(report.coverage).not.toBe('unsupported');
    } finally {
      child.kill();
    }
  });

  it('sees that a process compiles code at run time', async () => {
    const report = await preflightProcess(process.pid);
    expect(report.coverage).not.toBe('ok');
    expect(report.lines.some((l) => l.coverage === 'limited' && /run time/.test(l.text))).toBe(true);
  });

  it('says so when there is none', async () => {
    await expect(preflightProcess(999_999_999)).rejects.toBeInstanceOf(UnderstudyError);
  });
});
