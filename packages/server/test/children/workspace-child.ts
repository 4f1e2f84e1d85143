/**
 * Makes workspaces and works in them until it is killed. Says on stdout, one JSON object a line, what it is about to do
 * and what came of it.
 *
 *   node workspace-child.ts STATE_DIR PROJECT_DIR BASE_COMMIT
 */
import { rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createWorkspaces } from '../../src/workspace/workspaces.ts';
import { listing, valueOf } from '../workspace-fixture.ts';

const [stateDir = '', projectDir = '', baseCommit = ''] = process.argv.slice(2);
const workspaces = createWorkspaces({ stateDir });

for (let n = 1; ; n += 1) {
  const runId = `run_${n}`;
  const tree = workspaces.pathOf(runId);
  say({ at: 'create', runId });
  let checkpoint = valueOf(await workspaces.create(runId, { projectDir, baseCommit })).checkpoint;
  say({ at: 'kept', runId, checkpoint, files: listing(tree) });
  for (let round = 1; round <= 3; round += 1) {
    const work = `${runId} ${round}`;
    writeFileSync(join(tree, `work-${round}.txt`), work);
    writeFileSync(join(tree, 'src/file-1.txt'), work);
    rmSync(join(tree, `src/file-${round + 1}.txt`), { force: true });
    const files = listing(tree);
    say({ at: 'checkpoint', runId, files });
    const label = `work/${round}`;
    checkpoint = valueOf(await workspaces.checkpoint(runId, checkpoint, label));
    say({ at: 'kept', runId, checkpoint, files });
    for (let i = 1; i < 40; i += 1) writeFileSync(join(tree, `src/file-${i}.txt`), `lost? ${work}`);
    writeFileSync(join(tree, 'precious.txt'), work);
    say({ at: 'restore', runId, checkpoint, keepAs: label, precious: work });
    valueOf(await workspaces.restore(runId, checkpoint, label));
    say({ at: 'kept', runId, checkpoint, files });
  }
}

function say(line: unknown): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
