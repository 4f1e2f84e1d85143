// `npm test`: sets up a clean clone, then runs scripts/verify.ts under our Node.
// Plain JavaScript, since it starts on Node 20 before anything is installed.

import { runInstead } from '../packages/server/bin/runtime.mjs';
import { fail, ourNode } from './node.mjs';
import { ensureInstalled, ensureSystemPrograms, repository } from './setup.mjs';

const args = process.argv.slice(2);
const only = args.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);
// These start no program of the system.
const PLAIN_STAGES = ['format', 'lint', 'types', 'rules', 'unit'];

try {
  ensureInstalled();
  if (!only?.split(',').every((stage) => PLAIN_STAGES.includes(stage))) ensureSystemPrograms();
  const { node, flags, env } = ourNode();
  process.chdir(repository);
  await runInstead(node, [...flags, 'scripts/verify.ts', ...args], env);
} catch (error) {
  fail(error);
}
