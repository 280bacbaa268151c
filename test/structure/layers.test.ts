// The layer rules of .dependency-cruiser.cjs, one test each, so that a broken rule is reported with its reason.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const { forbidden } = createRequire(import.meta.url)(resolve(root, '.dependency-cruiser.cjs')) as {
  forbidden: { name: string; comment?: string }[];
};
const folders = ['journal', 'native', 'controller', 'cli', 'bench', 'demo', 'test'].filter((f) =>
  existsSync(resolve(root, f)),
);

interface Cruise {
  summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] };
}

describe('layers', () => {
  let cruise: Cruise;
  beforeAll(() => {
    const out = execFileSync(
      process.execPath,
      [
        'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
        '--config',
        '.dependency-cruiser.cjs',
        '--output-type',
        'json',
        ...folders,
      ],
      { cwd: root, encoding: 'utf8', maxBuffer: 256 << 20 },
    );
    cruise = JSON.parse(out) as Cruise;
  });

  it('are checked over modules that exist', () => {
    expect(cruise.summary.totalCruised).toBeGreaterThan(10);
  });

  for (const rule of forbidden) {
    it(`${rule.name}: ${rule.comment}`, () => {
      expect(rule.comment, 'a rule without its reason').toBeTruthy();
      const broken = cruise.summary.violations.filter((v) => v.rule.name === rule.name);
      expect(broken.map((v) => `${v.from} -> ${v.to}`)).toEqual([]);
    });
  }
});
