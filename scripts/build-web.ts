/** Bundles packages/web into a folder that the server can serve: index.html, and hashed files beside it. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

import { repository } from './setup.mjs';

const web = join(repository, 'packages/web');

export async function buildWeb(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: web,
    entryPoints: ['src/main.tsx'],
    outdir: join(folder, 'assets'),
    bundle: true,
    splitting: true,
    minify: true,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    conditions: ['ccdash-source'],
    define: { 'process.env.NODE_ENV': '"production"' },
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    metafile: true,
    logLevel: 'warning',
  });
  const entry = Object.entries(metafile.outputs).find(
    ([, { entryPoint }]) => entryPoint === 'src/main.tsx',
  );
  if (entry === undefined) throw new Error('The pages have no entry.');
  const [script, { cssBundle }] = entry;
  const tags = [
    ...(cssBundle === undefined
      ? []
      : [`<link rel="stylesheet" href="/assets/${basename(cssBundle)}" />`]),
    `<script type="module" src="/assets/${basename(script)}"></script>`,
  ];
  const template = readFileSync(join(web, 'src/index.html'), 'utf8');
  writeFileSync(
    join(folder, 'index.html'),
    template.replace('<!-- assets -->', tags.join('\n    ')),
  );
}
