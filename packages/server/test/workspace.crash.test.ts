import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Checkpoint } from '@ccdash/core';
import { createWorkspaces } from '../src/workspace/workspaces.ts';
import { createWorkspaceFixture, gitIn, listing, valueOf } from './workspace-fixture.ts';
import type { WorkspaceFixture } from './workspace-fixture.ts';

const CHILDREN = join(import.meta.dirname, 'children');
const NODE = [process.execPath, '--conditions=ccdash-source'] as const;
const PHASES = ['create', 'checkpoint', 'restore'] as const;
const KILLS = process.env['CCDASH_FULL_SWEEP'] === '1' ? 300 : 18;
const seed = Number(process.env['CCDASH_SEED'] ?? Date.now() % 2 ** 31);
/** A disk of its own needs a mount, which not every machine permits. */
const MOUNT = ['--user', '--map-root-user', '--mount'] as const;
const canMount =
  spawnSync('unshare', [...MOUNT, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

type Line =
  | { readonly at: 'create'; readonly runId: string }
  | { readonly at: 'checkpoint'; readonly runId: string; readonly files: Files }
  | {
      readonly at: 'kept';
      readonly runId: string;
      readonly checkpoint: Checkpoint;
      readonly files: Files;
    }
  | {
      readonly at: 'restore';
      readonly runId: string;
      readonly checkpoint: Checkpoint;
      readonly keepAs: string;
      readonly precious: string;
    };
type Files = Readonly<Record<string, string>>;

let fixture: WorkspaceFixture;
let baseCommit: string;

beforeAll(() => {
  const files = Array.from({ length: 60 }, (_, i) => [`src/file-${i}.txt`, `${i}\n`.repeat(200)]);
  fixture = createWorkspaceFixture(Object.fromEntries(files) as Record<string, string>);
  baseCommit = fixture.git('rev-parse', 'HEAD');
});
afterAll(() => fixture.close());

describe(`a process killed at work on a workspace (CCDASH_SEED=${seed})`, () => {
  test('[WS20] leaves what the next one can go on with, and nothing is lost', async () => {
    let state = seed;
    const draw = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return (state >>> 8) % below;
    };
    let interrupted = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const stateDir = join(fixture.root, `state-${kill}`);
      const phase = PHASES[kill % PHASES.length]!;
      const lines = await runUntilKilled(stateDir, phase, 1 + draw(4), draw(60));
      const last = lines.at(-1)!;
      if (last.at !== 'kept') interrupted += 1;
      await goOn(stateDir, lines, last);
      rmSync(stateDir, { recursive: true });
    }
    expect(interrupted).toBeGreaterThan(0);
  });
});

describe('a full disk', () => {
  test.runIf(canMount)('[WS19] is named, and costs no work', () => {
    const stateDir = join(fixture.root, 'small');
    mkdirSync(stateDir);
    const script = 'mount -t tmpfs -o size=4m tmpfs "$1" && shift && exec "$@"';
    const child = join(CHILDREN, 'full-disk-child.ts');
    const args = [...NODE, child, stateDir, fixture.projectDir, baseCommit];
    const ended = spawnSync('unshare', [...MOUNT, 'sh', '-c', script, 'sh', stateDir, ...args], {
      encoding: 'utf8',
    });
    expect(JSON.parse(ended.stdout || ended.stderr)).toEqual({
      checkpoint: 'disk_full',
      restore: 'disk_full',
      create: 'disk_full',
      isThere: true,
      again: 'ok',
      createAgain: 'ok',
    });
  });
});

/** Starts the child, kills it `afterMs` after it began `phase` for the `nth` time, and gives what it had said. */
async function runUntilKilled(
  stateDir: string,
  phase: Line['at'],
  nth: number,
  afterMs: number,
): Promise<readonly Line[]> {
  const args = [join(CHILDREN, 'workspace-child.ts'), stateDir, fixture.projectDir, baseCommit];
  const child = spawn(NODE[0], [NODE[1], ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  let isDoomed = false;
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    said += text;
    if (isDoomed || said.split(`"at":"${phase}"`).length <= nth) return;
    isDoomed = true;
    setTimeout(() => child.kill('SIGKILL'), afterMs);
  });
  const signal = await new Promise((resolve) =>
    child.on('close', (_code, killedBy) => resolve(killedBy)),
  );
  expect(signal).toBe('SIGKILL');
  const whole = said.slice(0, said.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** What an engine does after a restart, and what must then hold. */
async function goOn(stateDir: string, lines: readonly Line[], last: Line): Promise<void> {
  const workspaces = createWorkspaces({ stateDir });
  const { runId } = last;
  const tree = workspaces.pathOf(runId);
  const source = { projectDir: fixture.projectDir, baseCommit };
  const { checkpoint: base } = valueOf(await workspaces.create(runId, source));
  expect(readdirSync(join(stateDir, 'workspaces'))).not.toContain(`.making-${runId}`);
  const repository = join(stateDir, 'workspaces', runId, 'checkpoints.git');

  if (last.at === 'checkpoint') {
    const parent = lastKept(lines, runId)?.checkpoint ?? base;
    valueOf(await workspaces.checkpoint(runId, parent, 'work/again'));
    expect(listing(tree)).toEqual(last.files);
  }
  if (last.at === 'restore') {
    const aside = valueOf(await workspaces.restore(runId, last.checkpoint, last.keepAs));
    expect(gitIn(repository, 'show', `${String(aside?.commit)}:precious.txt`)).toBe(last.precious);
    expect(gitIn(repository, 'show', `${String(aside?.commit)}:src/file-39.txt`)).toBe(
      `lost? ${last.precious}`,
    );
  }
  for (const line of lines) {
    if (line.at !== 'kept' || line.runId !== runId) continue;
    valueOf(await workspaces.restore(runId, line.checkpoint, 'after/1'));
    expect(listing(tree)).toEqual(line.files);
  }
  expect(existsSync(join(repository, 'index.lock'))).toBe(false);
  expect(gitIn(repository, 'fsck', '--connectivity-only', '--no-dangling')).toBe('');
  expect(gitIn(tree, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(`ccdash/${runId}`);
}

function lastKept(
  lines: readonly Line[],
  runId: string,
): Extract<Line, { at: 'kept' }> | undefined {
  return lines.filter((line) => line.at === 'kept').findLast((line) => line.runId === runId);
}
