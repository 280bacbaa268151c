// What holds for the tree as a whole: a fresh clone installs from any registry, documents point at things that exist,
// and every source says in its head what it is for.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const skipped = new Set(['node_modules', 'dist', 'build', '.git']);

function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (skipped.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

const files = [...filesBelow(root)].map((path) => relative(root, path));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('tree', () => {
  it('locks npm packages by version and checksum, not by registry', () => {
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { resolved?: string }> };
    expect(Object.entries(lock.packages).filter(([, p]) => p.resolved !== undefined)).toEqual([]);
  });

  it('pins direct dependencies exactly', () => {
    const pkg = JSON.parse(read('package.json')) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
    const versions = Object.entries({ ...pkg.dependencies, ...pkg.devDependencies });
    expect(versions.filter(([, v]) => !/^\d+\.\d+\.\d+$/.test(v))).toEqual([]);
  });

  it('has scripts that can be run and parse', () => {
    const scripts = files.filter((f) => /^(scripts|\.ci)\/[^./]+$/.test(f));
    expect(scripts).toContain('scripts/demo');
    for (const script of scripts) {
      accessSync(join(root, script), constants.X_OK);
      const shell = /^#!.*\b(bash|sh)\n/.exec(read(script))?.[1];
      expect(shell, `${script} names its shell`).toBeDefined();
      execFileSync(shell!, ['-n', join(root, script)]);
    }
  });

  it('has documents whose links lead somewhere', () => {
    const dead: string[] = [];
    for (const file of files.filter((f) => f.endsWith('.md'))) {
      for (const [, target] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
        const path = target!.replace(/#.*$/, '');
        if (path === '' || /^[a-z]+:/.test(path)) continue;
        if (!existsSync(resolve(root, dirname(file), path))) dead.push(`${file}: ${target}`);
      }
    }
    expect(dead).toEqual([]);
  });

  it('has sources whose heads say what they are for', () => {
    const sources = files.filter((f) =>
      /^(agent|native|journal|controller|cli|bench|demo|test)\/.*\.(ts|cc|c|h|S)$/.test(f),
    );
    const headless = sources.filter((f) => {
      const text = read(f).replace(/^#!.*\n/, '');
      return statSync(join(root, f)).size > 0 && !/^\s*(\/\/|\/\*|# )/.test(text);
    });
    expect(headless).toEqual([]);
  });
});
