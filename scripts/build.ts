/** Bundles the server package into packages/server/dist: one file a process, shared code split off.
 *  core and api are bundled in; packages from npm stay outside and are installed with it. */

import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

import { buildWeb } from './build-web.ts';
import { repository } from './setup.mjs';

/** Programs by the name of their file in dist. */
const ENTRIES: Readonly<Record<string, string>> = {
  cli: 'src/cli/main.ts',
  host: 'src/host-main.ts',
  inside: 'src/sandbox/inside.ts',
};
const REQUIRED = ['cli', 'host', 'inside'];

const server = join(repository, 'packages/server');
const dist = join(server, 'dist');

async function main(): Promise<void> {
  const present = Object.entries(ENTRIES).filter(([, file]) => existsSync(join(server, file)));
  const missing = REQUIRED.filter((name) => !present.some(([each]) => each === name));
  if (missing.length > 0) {
    const files = missing.map((name) => `packages/server/${ENTRIES[name] ?? name}`).join(', ');
    throw new Error(`Nothing to build: ${files} is missing.`);
  }
  rmSync(dist, { recursive: true, force: true });
  await build({
    absWorkingDir: server,
    entryPoints: Object.fromEntries(present),
    outdir: 'dist',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    conditions: ['ccdash-source'],
    // Whole names in stack traces; the size on disk does not matter here.
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    chunkNames: 'chunks/[name]-[hash]',
    logLevel: 'warning',
    plugins: [
      {
        name: 'npm-packages-stay-outside',
        setup(hooks) {
          // Bare names that are not ours.
          hooks.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === 'entry-point' || path.startsWith('@ccdash/')
              ? undefined
              : { path, external: true },
          );
        },
      },
    ],
  });
  copy(join(server, 'assets'), join(dist, 'assets'));
  await buildWeb(join(dist, 'assets/web'));
  // npm packs a licence and a README from the package's own folder only.
  copy(join(repository, 'LICENSE'), join(server, 'LICENSE'));
  copy(join(repository, 'README.md'), join(server, 'README.md'));
  console.error(`Built ${present.map(([name]) => `dist/${name}.js`).join(', ')}`);
}

function copy(from: string, to: string): void {
  if (existsSync(from)) cpSync(from, to, { recursive: true });
}

await main();
