import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { expect, test } from 'vitest';

test('[SB8] the program that is mounted alone into the sandbox needs no other file, bundled or not', async () => {
  const source = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  // As the package is built; the second entry makes the bundler split off what both would share.
  const { outputFiles } = await build({
    entryPoints: { inside: source('inside.ts'), other: source('find-program.ts') },
    outdir: 'out',
    write: false,
    bundle: true,
    splitting: true,
    keepNames: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
  });
  const inside = outputFiles.find(({ path }) => path.endsWith('inside.js'))?.text ?? '';
  expect(inside).toContain('createServer');
  const imports = [...inside.matchAll(/from "([^"]+)"/g)].map(([, from]) => from);
  expect(imports.filter((from) => from?.startsWith('node:') !== true)).toEqual([]);
});
