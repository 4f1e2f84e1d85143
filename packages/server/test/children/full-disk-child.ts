/**
 * Works on a small disk that it fills, and says on stdout as one JSON object what each call answered.
 *
 *   node full-disk-child.ts STATE_DIR PROJECT_DIR BASE_COMMIT
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createWorkspaces } from '../../src/workspace/workspaces.ts';
import { valueOf } from '../workspace-fixture.ts';

const [stateDir = '', projectDir = '', baseCommit = ''] = process.argv.slice(2);
const workspaces = createWorkspaces({ stateDir });
const { checkpoint: base } = valueOf(await workspaces.create('run_1', { projectDir, baseCommit }));
const file = join(workspaces.pathOf('run_1'), 'work.bin');
const work = randomBytes(300_000);
writeFileSync(file, work);
fill();
const codeOf = (answer: { ok: true } | { ok: false; error: { code: string } }): string =>
  answer.ok ? 'ok' : answer.error.code;
const checkpoint = codeOf(await workspaces.checkpoint('run_1', base, 'work/1'));
const restore = codeOf(await workspaces.restore('run_1', base, 'work/1'));
const create = codeOf(await workspaces.create('run_2', { projectDir, baseCommit }));
const isThere = readFileSync(file).equals(work);
rmSync(join(stateDir, 'filler'));
const again = codeOf(await workspaces.restore('run_1', base, 'work/1'));
const createAgain = codeOf(await workspaces.create('run_2', { projectDir, baseCommit }));
writeSync(1, JSON.stringify({ checkpoint, restore, create, isThere, again, createAgain }));

function fill(): void {
  const filler = openSync(join(stateDir, 'filler'), 'w');
  try {
    while (true) writeSync(filler, Buffer.alloc(4096));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(filler);
  }
}
