import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Checkpoint } from '@ccdash/core';
import {
  createWorkspaceFixture,
  failureOf,
  gitIn,
  listing,
  putFiles,
  valueOf,
} from '../../test/workspace-fixture.ts';
import type { WorkspaceFixture } from '../../test/workspace-fixture.ts';
import { createWorkspaces } from './workspaces.ts';

// Many processes of git each, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let open: WorkspaceFixture[] = [];
afterEach(() => {
  for (const fixture of open) fixture.close();
  open = [];
});

interface Started {
  readonly fixture: WorkspaceFixture;
  readonly base: Checkpoint;
  readonly tree: string;
  readonly inGit: (path: string) => string;
  readonly commit: (name: string) => string;
}

async function started(): Promise<Started> {
  const fixture = createWorkspaceFixture();
  open.push(fixture);
  const base = await fixture.start();
  const tree = fixture.workspaces.pathOf('run_1');
  const commit = (name: string): string => {
    putFiles(tree, { [`${name}.txt`]: `${name}\n` });
    gitIn(tree, 'add', '--all');
    gitIn(tree, 'commit', '-q', '-m', name);
    return gitIn(tree, 'rev-parse', 'HEAD');
  };
  return { fixture, base, tree, inGit: (path) => join(tree, '.git', path), commit };
}

/** What a step may do to the `.git` of its clone, by what it does. */
const RUINS: Readonly<Record<string, (inGit: (path: string) => string) => void>> = {
  'no .git': (inGit) => rmSync(inGit(''), { recursive: true }),
  'a file as .git': (inGit) => {
    rmSync(inGit(''), { recursive: true });
    writeFileSync(inGit(''), 'gitdir: /etc\n');
  },
  'a link as .git': (inGit) => {
    rmSync(inGit(''), { recursive: true });
    symlinkSync('/etc', inGit(''));
  },
  'no HEAD': (inGit) => rmSync(inGit('HEAD')),
  'a HEAD that is text': (inGit) => writeFileSync(inGit('HEAD'), 'hello\n'),
  'a HEAD that leads nowhere': (inGit) => writeFileSync(inGit('HEAD'), 'ref: refs/heads/none\n'),
  'a pipe as HEAD': (inGit) => {
    rmSync(inGit('HEAD'));
    execFileSync('mkfifo', [inGit('HEAD')]);
  },
  'no refs': (inGit) => rmSync(inGit('refs'), { recursive: true }),
  'a ref to what is not there': (inGit) =>
    writeFileSync(inGit('refs/heads/ccdash/run_1'), `${'1'.repeat(40)}\n`),
  'no index': (inGit) => rmSync(inGit('index')),
  'half an index': (inGit) => truncateSync(inGit('index'), 40),
  'no config': (inGit) => rmSync(inGit('config')),
  'a config that is noise': (inGit) => writeFileSync(inGit('config'), '[[[\n'),
  'a config without a work tree': (inGit) =>
    writeFileSync(inGit('config'), '[core]\n\tbare = true\n'),
  'no objects': (inGit) => rmSync(inGit('objects'), { recursive: true }),
  'a pipe among the objects': (inGit) => {
    mkdirSync(inGit('objects/aa'), { recursive: true });
    execFileSync('mkfifo', [inGit(`objects/aa/${'a'.repeat(38)}`)]);
  },
  'no alternates': (inGit) => rmSync(inGit('objects/info/alternates')),
  'another common folder': (inGit) => writeFileSync(inGit('commondir'), '/etc\n'),
};

describe('a clone whose .git was ruined', () => {
  for (const [name, ruin] of Object.entries(RUINS)) {
    test(`[WS22] can be used again: ${name}`, async () => {
      const { fixture, tree, inGit } = await started();
      putFiles(tree, { 'new.txt': 'work\n' });
      ruin(inGit);
      valueOf(await fixture.workspaces.ready('run_1', 'build/2-before'));
      expect(gitIn(tree, 'status', '--porcelain', '--branch')).toBe('## ccdash/run_1\n?? new.txt');
      expect(gitIn(tree, 'fsck', '--strict')).toBe('');
      gitIn(tree, 'commit', '-q', '--allow-empty', '-m', 'works');
    });
  }

  test('[WS22] is kept aside as it was, and its whole branches come along', async () => {
    const { fixture, tree, inGit, commit } = await started();
    const first = commit('first');
    gitIn(tree, 'checkout', '-q', '-b', 'side');
    const second = commit('second');
    gitIn(tree, 'tag', '-a', '-m', 'm', 'v1');
    gitIn(tree, 'checkout', '-q', '-b', 'broken');
    const third = commit('third');
    rmSync(inGit(`objects/${third.slice(0, 2)}/${third.slice(2)}`));
    rmSync(inGit('HEAD'));
    valueOf(await fixture.workspaces.ready('run_1', 'build/2-before'));
    expect(gitIn(tree, 'rev-parse', 'ccdash/run_1', 'side', 'v1^{}')).toBe(
      [first, second, second].join('\n'),
    );
    expect(gitIn(tree, 'branch', '--format=%(refname:short)')).toBe('ccdash/run_1\nside');
    expect(gitIn(tree, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('ccdash/run_1');
    const aside = join(fixture.stateDir, 'workspaces/run_1/aside/build_2-before/1/.git');
    expect(readFileSync(join(aside, 'refs/heads/broken'), 'utf8').trim()).toBe(third);
  });

  test('[WS22] has no lock of a step that was killed', async () => {
    const { fixture, tree, inGit, commit } = await started();
    for (const name of ['index.lock', 'HEAD.lock', 'refs/heads/ccdash/run_1.lock']) {
      writeFileSync(inGit(name), '');
    }
    valueOf(await fixture.workspaces.ready('run_1', 'build/2-before'));
    commit('works');
    expect(gitIn(tree, 'log', '-1', '--format=%s')).toBe('works');
  });

  test('[WS22] brings nothing in from elsewhere on the machine', async () => {
    const { fixture, tree, inGit } = await started();
    const other = join(fixture.root, 'other');
    gitIn(fixture.root, 'init', '-q', other);
    putFiles(other, { 'secret.txt': 'secret\n' });
    gitIn(other, 'add', '--all');
    gitIn(other, 'commit', '-q', '-m', 'secret');
    const secret = gitIn(other, 'rev-parse', 'HEAD');
    writeFileSync(inGit('objects/info/alternates'), `${join(other, '.git/objects')}\n`);
    writeFileSync(inGit('refs/heads/stolen'), `${secret}\n`);
    valueOf(await fixture.workspaces.ready('run_1', 'build/2-before'));
    expect(() => gitIn(tree, 'cat-file', '-e', secret)).toThrow();
    expect(gitIn(tree, 'branch', '--format=%(refname:short)')).toBe('ccdash/run_1');
  });

  test('[WS22] that a process killed half way has put aside is put back', async () => {
    const { fixture, tree, inGit, commit } = await started();
    const first = commit('first');
    const root = join(fixture.stateDir, 'workspaces/run_1');
    mkdirSync(join(root, 'mended'));
    renameSync(inGit(''), join(root, 'mended/.git'));
    valueOf(await fixture.workspaces.ready('run_1', 'build/2-before'));
    expect(gitIn(tree, 'rev-parse', 'HEAD')).toBe(first);
    expect(existsSync(join(root, 'mended'))).toBe(false);
  });
});

describe('commits of a step', () => {
  test('[WS23] stay where a step that succeeded made them', async () => {
    const { fixture, base, tree, commit } = await started();
    const { workspaces } = fixture;
    const first = commit('first');
    const checkpoint = valueOf(await workspaces.checkpoint('run_1', base, 'build/1'));
    gitIn(tree, 'checkout', '-q', '-b', 'side');
    // No file differs, but HEAD does.
    const next = valueOf(await workspaces.checkpoint('run_1', checkpoint, 'build/2'));
    expect(next.tree).toBe(checkpoint.tree);
    valueOf(await workspaces.restore('run_1', next, 'test/1-before'));
    expect(gitIn(tree, 'status', '--porcelain', '--branch')).toBe('## side');
    expect(gitIn(tree, 'rev-parse', 'HEAD')).toBe(first);
    expect(valueOf(await workspaces.checkpoint('run_1', next, 'build/3'))).toEqual(next);
  });

  test('[WS23] stay when the step that made them has lost HEAD', async () => {
    const { fixture, base, tree, inGit, commit } = await started();
    const first = commit('first');
    rmSync(inGit('HEAD'));
    const checkpoint = valueOf(await fixture.workspaces.checkpoint('run_1', base, 'build/1'));
    valueOf(await fixture.workspaces.restore('run_1', checkpoint, 'test/1-before'));
    expect(gitIn(tree, 'status', '--porcelain', '--branch')).toBe('## ccdash/run_1');
    expect(gitIn(tree, 'rev-parse', 'HEAD')).toBe(first);
  });

  test('[WS23] of a step that failed are taken off its branch, and kept', async () => {
    const { fixture, base, tree, commit } = await started();
    const first = commit('first');
    const { workspaces } = fixture;
    const checkpoint = valueOf(await workspaces.checkpoint('run_1', base, 'build/1'));
    const second = commit('second');
    gitIn(tree, 'branch', 'kept');
    const third = commit('third');
    // Nothing is needed that the first process remembers.
    const another = createWorkspaces({ stateDir: fixture.stateDir });
    const aside = valueOf(await another.restore('run_1', checkpoint, 'test/1'));
    expect(aside).not.toBe(null);
    expect(gitIn(tree, 'status', '--porcelain', '--branch')).toBe('## ccdash/run_1');
    expect(gitIn(tree, 'rev-parse', 'HEAD', 'kept')).toBe([first, second].join('\n'));
    expect(gitIn(tree, 'rev-parse', 'refs/ccdash/aside/test/1/ccdash/run_1')).toBe(third);
    expect(gitIn(tree, 'fsck', '--strict')).toBe('');
    expect(readdirSync(tree).sort()).toEqual(['.git', 'first.txt', 'readme.md', 'src']);
  });

  test('[WS23] that were only staged are in the index no more', async () => {
    const { fixture, base, tree } = await started();
    putFiles(tree, { 'staged.txt': 'x', 'readme.md': 'changed' });
    gitIn(tree, 'add', '--all');
    valueOf(await fixture.workspaces.restore('run_1', base, 'test/1'));
    expect(gitIn(tree, 'status', '--porcelain', '--branch')).toBe('## ccdash/run_1');
  });
});

describe('a tree that has gone', () => {
  test('[WS24] is named with what to do, and made again from its checkpoint', async () => {
    const { fixture, base, tree, commit } = await started();
    const { workspaces, projectDir } = fixture;
    putFiles(projectDir, { '.env': 'SECRET=1' });
    valueOf(await workspaces.carryOver('run_1', projectDir, ['.env']));
    commit('first');
    rmSync(join(tree, '.env'));
    valueOf(await workspaces.carryOver('run_1', projectDir, ['.env']));
    const checkpoint = valueOf(await workspaces.checkpoint('run_1', base, 'build/1'));
    const before = listing(tree);
    rmSync(tree, { recursive: true });
    const refused = failureOf(await workspaces.ready('run_1', 'test/1-before'));
    expect(refused.code).toBe('workspace_missing');
    expect(refused.hint).toContain('ccdash retry run_1');
    expect(failureOf(await workspaces.match('run_1', ['*'])).code).toBe('workspace_missing');
    valueOf(await workspaces.rebuild('run_1', checkpoint, projectDir));
    expect(listing(tree)).toEqual(before);
    expect(gitIn(tree, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('ccdash/run_1');
    expect(valueOf(await workspaces.checkpoint('run_1', checkpoint, 'test/1')).tree).toBe(
      checkpoint.tree,
    );
  });

  test('[WS24] is left to people when its checkpoints have gone too', async () => {
    const { fixture, base } = await started();
    const { workspaces, projectDir, stateDir } = fixture;
    rmSync(join(stateDir, 'workspaces/run_1'), { recursive: true });
    valueOf(await workspaces.rebuild('run_1', base, projectDir));
    const refused = failureOf(await workspaces.ready('run_1', 'test/1-before'));
    expect(refused.code).toBe('workspace_missing');
    expect(refused.hint).toContain('cancel the run');
  });
});
