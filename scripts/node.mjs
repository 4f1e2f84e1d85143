// Runs a script or tool of this repository under its own Node, from source.
//   node scripts/node.mjs [--install] [--build] (SCRIPT | --bin TOOL) [ARGS…]

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { findOrInstallNode, LaunchError, runInstead } from '../packages/server/bin/runtime.mjs';
import { ensureInstalled, repository } from './setup.mjs';
import { toolPath } from './tools.mjs';

/** Node's own arguments for our sources; the environment makes `node` mean the same below. */
export function ourNode() {
  const node = findOrInstallNode(path.join(repository, '.node'));
  const PATH = [path.dirname(node), process.env.PATH].join(path.delimiter);
  return {
    node,
    flags: ['--conditions=ccdash-source', '--disable-warning=ExperimentalWarning'],
    env: { ...process.env, PATH },
  };
}

/** Prints what a person can act on without a stack, and ends. */
export function fail(error) {
  console.error(error instanceof LaunchError ? error.message : error);
  process.exit(1);
}

async function main(args) {
  const { install, build, target } = parse(args);
  if (install) ensureInstalled();
  const { node, flags, env } = ourNode();
  if (build) {
    const script = path.join(repository, 'scripts/build.ts');
    const { status } = spawnSync(node, [...flags, script], { stdio: 'inherit', env });
    if (status !== 0) process.exit(status ?? 1);
  }
  const [first, second, ...rest] = target;
  // Tools resolve our sources by their own settings; the flag is for scripts alone.
  const command = first === '--bin' ? [toolPath(second), ...rest] : [...flags, ...target];
  await runInstead(node, command, env);
}

function parse(args) {
  const flags = { install: false, build: false };
  let at = 0;
  for (; args[at] === '--install' || args[at] === '--build'; at++) flags[args[at].slice(2)] = true;
  return { ...flags, target: args.slice(at) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2)).catch(fail);
}
