#!/usr/bin/env node
// Starts the command line on a Node that can run it. Kept tiny: every `ccdash` pays for it.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import {
  cacheFolder,
  findOrInstallNode,
  isRecentNode,
  LaunchError,
  runInstead,
} from './runtime.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const built = path.join(here, '../dist/cli.js');
const source = path.join(here, '../src/cli/main.ts');

// The published package has no sources: with them this is the repository, where a bundle may be out of date.
const inRepository = fs.existsSync(source);

if (!inRepository && fs.existsSync(built) && isRecentNode()) {
  withoutSqliteWarning();
  await import(pathToFileURL(built).href);
} else if (inRepository || fs.existsSync(built)) {
  const folder = inRepository ? path.join(here, '../../../.node') : cacheFolder();
  const entry = inRepository ? ['--conditions=ccdash-source', source] : [built];
  let node;
  try {
    node = findOrInstallNode(folder);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
  const flags = ['--disable-warning=ExperimentalWarning'];
  await runInstead(node, [...flags, ...entry, ...process.argv.slice(2)]);
} else {
  console.error(`${built} is missing: the installation is incomplete. Install ccdash again.`);
  process.exit(1);
}

/** Node 22 calls node:sqlite experimental on every start; people cannot act on that. */
function withoutSqliteWarning() {
  if (Number.parseInt(process.versions.node) >= 24) return;
  const emit = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (!String(warning).startsWith('SQLite ')) emit.call(process, warning, ...rest);
  };
}
