// Where the development tools' programs are, so that they run under our Node and not the one on PATH.

import fs from 'node:fs';
import path from 'node:path';

import { repository } from './setup.mjs';

const PACKAGE_BY_TOOL = {
  depcruise: 'dependency-cruiser',
  eslint: 'eslint',
  prettier: 'prettier',
  stryker: '@stryker-mutator/core',
  tsc: 'typescript',
  vitest: 'vitest',
};

/** The absolute path of a tool's JavaScript entry.
 *  @param {string} tool
 *  @returns {string} */
export function toolPath(tool) {
  const name = PACKAGE_BY_TOOL[tool];
  if (!name) throw new Error(`Unknown tool ${tool}: add it to scripts/tools.mjs.`);
  const folder = path.join(repository, 'node_modules', name);
  const { bin } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return path.join(folder, typeof bin === 'string' ? bin : bin[tool]);
}
