// Makes a few files of what tsc has compiled: a module costs a third of a millisecond to find and load, and a recorded guest waits for
// all that its command needs.
//
// Invariants:
//  - What cli/start.ts imports is one file; what commands import when they are called is in others, as without the bundle.
//  - dist/bundle is newer than dist/.tsbuildinfo, or scripts/understudy does not use it.
//  - Not minified: stack traces stay readable. (UNDERSTUDY_DEBUG=1 runs the modules themselves.)
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { defineConfig } from 'rolldown';

// commander would start a subcommand's program by this module. There is none, and it brings Node's networking with it.
const noChildProcesses = {
  name: 'no-child-processes-in-commander',
  resolveId(source, importer) {
    return source === 'node:child_process' && importer?.includes('/commander/') ? '\0nothing' : null;
  },
  load(id) {
    return id === '\0nothing' ? 'module.exports = {};' : null;
  },
};

// V8 keeps and scans a text of ASCII alone as bytes, any other as twice as many.
const ascii = {
  name: 'ascii',
  renderChunk: (code) => code.replace(/[^\x00-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
};

// The file that is started, and the cache that it reads: made by recording and replaying something, whatever comes of it.
const codeCache = {
  name: 'code-cache',
  buildStart() {
    const source = readFileSync('cli/load-bundle.cjs', 'utf8');
    this.emitFile({ type: 'asset', fileName: 'understudy.cjs', source });
  },
  renderChunk(code, chunk) {
    return chunk.isEntry ? `//${createHash('sha256').update(code).digest('hex').slice(0, 16)}\n${code}` : null;
  },
  closeBundle() {
    const work = mkdtempSync(join(tmpdir(), 'understudy-build-'));
    const env = { ...process.env, UNDERSTUDY_WRITE_CODE_CACHE: '1', UNDERSTUDY_CACHE_DIR: join(work, 'cache') };
    for (const command of [
      ['record', '-o', 'J', '--', 'true'],
      ['replay', 'J'],
    ]) {
      const file = join(process.cwd(), 'dist/bundle/understudy.cjs');
      const run = spawnSync(process.execPath, [file, ...command], {
        cwd: work,
        env,
        encoding: 'utf8',
        timeout: 20_000,
      });
      if (run.status !== 0) {
        this.warn(
          `the code cache holds less than it could: ${command[0]} fails here: ${run.error?.message ?? run.stderr}`,
        );
      }
    }
    rmSync(work, { recursive: true, force: true });
  },
};

export default defineConfig({
  input: { start: 'dist/cli/start.js' },
  platform: 'node',
  // Packages that few commands use, and that look for files beside themselves.
  external: ['ajv', 'level', 'msgpackr', 'tar-stream', 'yaml'],
  plugins: [noChildProcesses, ascii, codeCache],
  output: {
    dir: 'dist/bundle',
    // CommonJS: Node needs 3 ms more to be ready for modules of the other kind.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    comments: false,
    cleanDir: true,
    codeSplitting: {
      groups: [
        { name: 'start', test: /\/dist\/cli\/start\.js$/, priority: 2 },
        { name: 'replay', test: /\/dist\/cli\/commands\/replay\.js$/, priority: 1 },
      ],
    },
  },
});
