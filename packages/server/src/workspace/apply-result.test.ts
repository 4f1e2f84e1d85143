import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { ApplyMode, ApplyOrder, ApplyPreview, Checkpoint } from '@ccdash/core';
import {
  createWorkspaceFixture,
  failureOf,
  gitIn,
  putFiles,
  valueOf,
} from '../../test/workspace-fixture.ts';
import type { WorkspaceFixture } from '../../test/workspace-fixture.ts';

const RUN = 'run_1';
const AT = '2026-11-23T12:00:00.000Z';
const MESSAGE = 'Add b\n\nCCDash-Run: run_1\n';

const closing: WorkspaceFixture[] = [];
afterEach(() => {
  for (const fixture of closing.splice(0)) fixture.close();
});

interface Started {
  readonly fixture: WorkspaceFixture;
  readonly base: Checkpoint;
  readonly result: Checkpoint;
  readonly preview: (mode: ApplyMode, branch?: string) => Promise<ApplyPreview>;
  /** The order that follows from what the preview showed. */
  readonly order: (mode: ApplyMode, branch?: string) => Promise<ApplyOrder>;
}

/** A run that has changed `a`, added `b.txt` and `bin`, and removed `c`; the project has a user of its own. */
async function started(): Promise<Started> {
  const fixture = createWorkspaceFixture({ a: 'one\ntwo\nthree\n', c: 'c\n', d: 'd\n' });
  closing.push(fixture);
  fixture.git('config', 'user.name', 'Ada');
  fixture.git('config', 'user.email', 'ada@example.com');
  const base = await fixture.start(RUN);
  const tree = fixture.workspaces.pathOf(RUN);
  putFiles(tree, { a: 'one\ntwo\nTHREE\n', 'b.txt': 'b\n', bin: '\0\u0001binary' });
  execFileSync('rm', [join(tree, 'c')]);
  const result = valueOf(await fixture.workspaces.checkpoint(RUN, base, 'build/1'));
  const { projectDir } = fixture;
  const target = (mode: ApplyMode, branch: string | null) => ({
    ...{ projectDir, base, result, mode, branch },
  });
  const preview: Started['preview'] = async (mode, branch) =>
    valueOf(await fixture.workspaces.previewApply(RUN, target(mode, branch ?? null)));
  const order: Started['order'] = async (mode, branch) => {
    const { branch: name, from, tree: merged } = await preview(mode, branch);
    return { ...target(mode, name), branch: name, from, tree: merged, message: MESSAGE, at: AT };
  };
  return { fixture, base, result, preview, order };
}

describe('a preview', () => {
  test('[WS40] shows what would change and where, and changes nothing', async () => {
    const { fixture, preview, result } = await started();
    const before = fixture.git('for-each-ref') + fixture.git('count-objects', '-v');
    expect(await preview('branch')).toEqual({
      branch: 'ccdash/run_1',
      from: null,
      tree: result.tree,
      files: [
        { path: 'a', change: 'modified' },
        { path: 'b.txt', change: 'added' },
        { path: 'bin', change: 'added' },
        { path: 'c', change: 'deleted' },
      ],
      insertions: 2,
      deletions: 2,
      conflicts: [],
      isCheckedOut: false,
      dirty: [],
    });
    const squash = await preview('squash');
    expect(squash).toMatchObject({ branch: 'main', isCheckedOut: true, tree: result.tree });
    expect(squash.from).toBe(fixture.git('rev-parse', 'main'));
    expect(fixture.git('for-each-ref') + fixture.git('count-objects', '-v')).toBe(before);
  });

  test('[WS40] of a run that changed nothing says so', async () => {
    const { fixture, base } = await started();
    const { projectDir } = fixture;
    const target = { projectDir, base, result: base, mode: 'branch', branch: null } as const;
    const failure = failureOf(await fixture.workspaces.previewApply(RUN, target));
    expect(failure.code).toBe('nothing_to_apply');
  });

  test.each([
    ['squash', null, 'no_branch'],
    ['squash', 'nowhere', 'no_branch'],
    ['branch', 'main', 'branch_exists'],
    ['branch', '--upload-pack=x', 'invalid_branch'],
    ['branch', 'a..b', 'invalid_branch'],
    ['merge', 'elsewhere', 'branch_in_use'],
  ] as const)('[WS41] as %s on %s is refused as %s', async (mode, branch, code) => {
    const { fixture, base, result } = await started();
    fixture.git('commit', '--allow-empty', '-m', 'on');
    fixture.git('worktree', 'add', '-q', '-b', 'elsewhere', join(fixture.root, 'elsewhere'));
    fixture.git('checkout', '-q', '--detach');
    const { projectDir } = fixture;
    const target = { projectDir, base, result, mode, branch };
    const failure = failureOf(await fixture.workspaces.previewApply(RUN, target));
    expect([failure.code, failure.hint]).toEqual([code, expect.any(String)]);
  });
});

describe('a result', () => {
  test('[WS42] as a branch has the commits of the steps, and touches nothing else', async () => {
    const { fixture, order, result } = await started();
    writeFileSync(join(fixture.projectDir, 'a'), 'mine, not committed\n');
    fixture.git('add', 'a');
    const wanted = await order('branch');
    const before = [fixture.git('status', '--porcelain'), fixture.git('rev-parse', 'HEAD')];
    expect(valueOf(await fixture.workspaces.applyResult(RUN, wanted))).toBe(result.commit);
    expect([fixture.git('status', '--porcelain'), fixture.git('rev-parse', 'HEAD')]).toEqual(
      before,
    );
    expect(fixture.git('log', '--format=%s', 'main..ccdash/run_1')).toBe('build/1');
    expect(fixture.git('show', 'ccdash/run_1:b.txt')).toBe('b');
    expect(fixture.git('fsck', '--no-dangling')).toBe('');
    // Again, as after a crash.
    expect(valueOf(await fixture.workspaces.applyResult(RUN, wanted))).toBe(result.commit);
  });

  test('[WS42] as a branch goes on where an earlier one of the run was', async () => {
    const { fixture, order, base, result } = await started();
    fixture.git('branch', 'ccdash/run_1', base.commit);
    const wanted = await order('branch');
    expect(wanted.from).toBe(base.commit);
    valueOf(await fixture.workspaces.applyResult(RUN, wanted));
    expect(fixture.git('rev-parse', 'ccdash/run_1')).toBe(result.commit);
  });

  test.each([
    ['squash', 1],
    ['merge', 2],
  ] as const)(
    '[WS43] as %s is a commit of the user on a project that moved',
    async (mode, parents) => {
      const { fixture, order } = await started();
      writeFileSync(join(fixture.projectDir, 'd'), 'meanwhile\n');
      fixture.git('commit', '-qam', 'meanwhile');
      const moved = fixture.git('rev-parse', 'HEAD');
      const wanted = await order(mode);
      const commit = valueOf(await fixture.workspaces.applyResult(RUN, wanted));
      expect(fixture.git('rev-parse', 'main')).toBe(commit);
      const format = '%P%n%an <%ae>%n%cI%n%s';
      const [parent = '', ...rest] = fixture.git('show', '-s', `--format=${format}`).split('\n');
      expect([parent.split(' ').length, parent.startsWith(moved)]).toEqual([parents, true]);
      expect(rest).toEqual(['Ada <ada@example.com>', '2026-11-23T12:00:00+00:00', 'Add b']);
      expect(readFileSync(join(fixture.projectDir, 'a'), 'utf8')).toBe('one\ntwo\nTHREE\n');
      expect(readFileSync(join(fixture.projectDir, 'd'), 'utf8')).toBe('meanwhile\n');
      expect(fixture.git('status', '--porcelain')).toBe('');
      expect(fixture.git('fsck', '--no-dangling')).toBe('');
      expect(valueOf(await fixture.workspaces.applyResult(RUN, wanted))).toBe(commit);
    },
  );

  test('[WS43] goes on a branch that is not checked out without touching the checkout', async () => {
    const { fixture, order } = await started();
    fixture.git('branch', 'next');
    valueOf(await fixture.workspaces.applyResult(RUN, await order('squash', 'next')));
    expect(fixture.git('show', 'next:b.txt')).toBe('b');
    expect(fixture.git('status', '--porcelain')).toBe('');
    expect(fixture.git('log', '--format=%s', 'main')).not.toContain('Add b');
  });

  test('[WS43] goes together with other lines of the same file, whatever its attributes say', async () => {
    const { fixture, order } = await started();
    // The run has changed the last line of it.
    writeFileSync(join(fixture.projectDir, 'a'), 'ONE\ntwo\nthree\n');
    putFiles(fixture.projectDir, { '.gitattributes': '* -merge\n' });
    fixture.git('add', '--all');
    fixture.git('commit', '-qm', 'another line');
    const wanted = await order('squash');
    valueOf(await fixture.workspaces.applyResult(RUN, wanted));
    expect(fixture.git('show', 'main:a')).toBe('ONE\ntwo\nTHREE');
  });

  test('[WS44] that does not merge by itself names the files, and nothing changes', async () => {
    const { fixture, order, preview } = await started();
    const wanted = await order('squash');
    writeFileSync(join(fixture.projectDir, 'a'), 'one\ntwo\nelse\n');
    fixture.git('commit', '-qam', 'conflict');
    const now = fixture.git('rev-parse', 'HEAD');
    expect((await preview('squash')).conflicts).toEqual(['a']);
    const late = failureOf(await fixture.workspaces.applyResult(RUN, wanted));
    expect(late.code).toBe('branch_moved');
    const fresh = { ...wanted, from: now };
    const failure = failureOf(await fixture.workspaces.applyResult(RUN, fresh));
    expect([failure.code, failure.message.includes(': a.')]).toEqual(['conflicts', true]);
    expect([fixture.git('rev-parse', 'HEAD'), fixture.git('status', '--porcelain')]).toEqual([
      now,
      '',
    ]);
  });

  test('[WS45] overwrites no change that is not committed', async () => {
    const { fixture, order, preview } = await started();
    writeFileSync(join(fixture.projectDir, 'a'), 'mine\n');
    expect((await preview('squash')).dirty).toEqual(['a']);
    const wanted = await order('squash');
    const before = fixture.git('rev-parse', 'HEAD');
    const failure = failureOf(await fixture.workspaces.applyResult(RUN, wanted));
    expect(failure.code).toBe('checkout_refused');
    expect(readFileSync(join(fixture.projectDir, 'a'), 'utf8')).toBe('mine\n');
    expect(fixture.git('rev-parse', 'HEAD')).toBe(before);
    // An untracked file in the way of one that comes is no different.
    fixture.git('checkout', '-q', '--', 'a');
    writeFileSync(join(fixture.projectDir, 'b.txt'), 'mine\n');
    const again = failureOf(await fixture.workspaces.applyResult(RUN, await order('squash')));
    expect(again.code).toBe('checkout_refused');
    expect(readFileSync(join(fixture.projectDir, 'b.txt'), 'utf8')).toBe('mine\n');
  });

  test('[WS45] runs no hook of the project', async () => {
    const { fixture, order } = await started();
    const hooks = join(fixture.projectDir, '.git/hooks');
    mkdirSync(hooks, { recursive: true });
    for (const name of [
      'post-merge',
      'reference-transaction',
      'post-checkout',
      'pre-merge-commit',
    ]) {
      writeFileSync(join(hooks, name), `#!/bin/sh\ntouch ${fixture.root}/hook-ran\n`, {
        mode: 0o755,
      });
    }
    valueOf(await fixture.workspaces.applyResult(RUN, await order('merge')));
    expect(execFileSync('ls', [fixture.root], { encoding: 'utf8' })).not.toContain('hook-ran');
  });

  test('[WS46] as a patch applies to where the run began, binary files included', async () => {
    const { fixture, base, result } = await started();
    const patch = valueOf(await fixture.workspaces.patch(RUN, base, result));
    const file = join(fixture.root, 'run.patch');
    writeFileSync(file, patch);
    fixture.git('apply', '--index', file);
    expect(fixture.git('write-tree')).toBe(result.tree);
    expect(gitIn(fixture.projectDir, 'diff', '--cached', '--stat')).toContain('Bin');
  });
});
