/** Everything CI checks, cheapest first, each stage with its time; the first failure ends it.
 *  Runs under our Node with the packages installed: start it with `npm test`.
 *    npm test -- --only=STAGE[,STAGE…] [vitest arguments] */

import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from './setup.mjs';
import { toolPath } from './tools.mjs';

interface Stage {
  readonly name: string;
  readonly tool: string;
  readonly args: readonly string[];
  readonly remedy: string;
}

const CHECKS: readonly Stage[] = [
  {
    name: 'format',
    tool: 'prettier',
    args: ['--check', '--log-level=warn', '--cache', '.'],
    remedy: 'npm run fix formats the files named above.',
  },
  {
    name: 'lint',
    tool: 'eslint',
    args: ['--max-warnings=0', '.'],
    remedy: 'npm run fix mends what can be mended by a program.',
  },
  {
    name: 'types',
    tool: 'tsc',
    args: ['-b'],
    remedy: 'The compiler named each place above.',
  },
  {
    name: 'rules',
    tool: 'depcruise',
    args: ['--config', '.dependency-cruiser.cjs', 'packages', 'scripts'],
    remedy: 'An import crosses a border; .dependency-cruiser.cjs says why each is there.',
  },
];
const TEST_PROJECTS = ['unit', 'conformance', 'server', 'browser', 'crash'];
const STAGES = [...CHECKS.map(({ name }) => name), ...TEST_PROJECTS];

const ONLY = '--only=';
const RESULTS = join(repository, 'node_modules/.cache/vitest-results.json');

function main(args: readonly string[]): number {
  const chosen = args.find((arg) => arg.startsWith(ONLY));
  const only = chosen?.slice(ONLY.length).split(',') ?? STAGES;
  const unknown = only.filter((name) => !STAGES.includes(name));
  if (unknown.length > 0) {
    console.error(`Unknown: ${unknown.join(', ')}. Stages are ${STAGES.join(', ')}.`);
    return 2;
  }
  for (const stage of CHECKS) {
    if (only.includes(stage.name) && !passes(stage)) return 1;
  }
  const forVitest = args.filter((arg) => arg !== chosen);
  const projects = TEST_PROJECTS.filter((name) => only.includes(name));
  return projects.length === 0 || passesTests(projects, forVitest) ? 0 : 1;
}

function passesTests(projects: readonly string[], more: readonly string[]): boolean {
  rmSync(RESULTS, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${RESULTS}`];
  const passed = passes({
    name: `tests: ${projects.join(', ')}`,
    tool: 'vitest',
    args: ['run', ...projects.flatMap((name) => ['--project', name]), ...reporters, ...more],
    remedy: 'Run one file alone: npm test -- --only=PROJECT path/of/file',
  });
  console.log(closingLine());
  return passed;
}

function passes({ name, tool, args, remedy }: Stage): boolean {
  console.log(`\n── ${name}`);
  const start = performance.now();
  const { status, signal } = spawnSync(process.execPath, [toolPath(tool), ...args], {
    cwd: repository,
    stdio: 'inherit',
  });
  const elapsed = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  if (status === 0) {
    console.log(`── ${name} ok, ${elapsed}`);
    return true;
  }
  const how = signal ? `ended by ${signal}` : `exit code ${String(status)}`;
  console.error(`── ${name} FAILED after ${elapsed} (${how}). ${remedy}`);
  return false;
}

/** One plain line that people and programs find at the very end. */
function closingLine(): string {
  let counts: { numPassedTests: number; numFailedTests: number; numPendingTests: number };
  try {
    counts = JSON.parse(readFileSync(RESULTS, 'utf8')) as typeof counts;
  } catch (error) {
    return `No results of tests could be read: ${String(error)}`;
  }
  const { numPassedTests, numFailedTests, numPendingTests } = counts;
  return `${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`;
}

process.exitCode = main(process.argv.slice(2));
