import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
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

function fixtureOf(...args: Parameters<typeof createWorkspaceFixture>): WorkspaceFixture {
  const fixture = createWorkspaceFixture(...args);
  open.push(fixture);
  return fixture;
}

/** A fixture with a workspace, and short names for what the tests do most. */
async function started(...args: Parameters<typeof createWorkspaceFixture>): Promise<{
  fixture: WorkspaceFixture;
  base: Checkpoint;
  tree: string;
  repository: string;
  checkpoint: (parent: Checkpoint, label?: string) => Promise<Checkpoint>;
  restore: (target: Checkpoint, keepAs?: string) => Promise<Checkpoint | null>;
  changed: (from: Checkpoint, to: Checkpoint) => Promise<readonly string[]>;
}> {
  const fixture = fixtureOf(...args);
  const base = await fixture.start();
  const { workspaces, stateDir } = fixture;
  return {
    fixture,
    base,
    tree: workspaces.pathOf('run_1'),
    repository: join(stateDir, 'workspaces/run_1/checkpoints.git'),
    checkpoint: async (parent, label = 'build/1') =>
      valueOf(await workspaces.checkpoint('run_1', parent, label)),
    restore: async (target, keepAs = 'build/1') =>
      valueOf(await workspaces.restore('run_1', target, keepAs)),
    changed: async (from, to) =>
      valueOf(await workspaces.changes('run_1', from, to)).map(
        ({ path, change }) => `${change} ${path}`,
      ),
  };
}

describe('a new workspace', () => {
  test('[WS3] is a clone at the base commit, on a branch of its own, with nothing to commit', async () => {
    const { fixture, base, tree } = await started();
    expect(base).toEqual({
      commit: fixture.git('rev-parse', 'HEAD'),
      tree: fixture.git('rev-parse', 'HEAD^{tree}'),
    });
    expect(gitIn(tree, 'status', '--porcelain', '--branch')).toBe('## ccdash/run_1');
    expect(listing(tree)).toEqual(listing(fixture.projectDir));
    expect(gitIn(tree, 'log', '--format=%s')).toBe('first');
    gitIn(tree, 'commit', '-q', '--allow-empty', '-m', 'works');
    expect(statSync(join(fixture.stateDir, 'workspaces')).mode & 0o777).toBe(0o700);
    expect(statSync(tree).mode & 0o777).toBe(0o700);
  });

  test('[WS3] has no remote when the project has none, or one on this machine', async () => {
    const fixture = fixtureOf();
    await fixture.start('run_1');
    fixture.git('remote', 'add', 'origin', fixture.projectDir);
    await fixture.start('run_2');
    for (const run of ['run_1', 'run_2']) {
      expect(gitIn(fixture.workspaces.pathOf(run), 'remote', '-v')).toBe('');
    }
  });

  test('[WS3] knows where the project is published, without its credentials', async () => {
    const fixture = fixtureOf();
    fixture.git('remote', 'add', 'origin', 'https://ada:t0ken@git.example.com/team/app.git');
    await fixture.start();
    const url = gitIn(fixture.workspaces.pathOf('run_1'), 'remote', 'get-url', 'origin');
    expect(url).toBe('https://git.example.com/team/app.git');
    const config = readFileSync(join(fixture.workspaces.pathOf('run_1'), '.git/config'), 'utf8');
    expect(config).not.toContain('t0ken');
  });

  test('[WS4] made again is found as it is', async () => {
    const { fixture, base, tree } = await started();
    putFiles(tree, { 'new.txt': 'work' });
    expect(await fixture.start()).toEqual(base);
    expect(readFileSync(join(tree, 'new.txt'), 'utf8')).toBe('work');
  });

  test('[WS4] takes the place of one that was never finished', async () => {
    const fixture = fixtureOf();
    putFiles(join(fixture.stateDir, 'workspaces/.making-run_1'), { 'tree/half.txt': 'half' });
    await fixture.start();
    expect(readdirSync(join(fixture.stateDir, 'workspaces'))).toEqual(['run_1']);
    expect(Object.keys(listing(fixture.workspaces.pathOf('run_1')))).not.toContain('half.txt');
  });

  test('[WS4] of a commit that is not in the project is refused', async () => {
    const { workspaces, projectDir, stateDir } = fixtureOf();
    for (const baseCommit of ['1'.repeat(40), 'main', '--help']) {
      const made = failureOf(await workspaces.create('run_1', { projectDir, baseCommit }));
      expect(made).toMatchObject({ code: 'commit_missing' });
      expect(made.message).toContain(baseCommit);
    }
    expect(existsSync(join(stateDir, 'workspaces/run_1'))).toBe(false);
  });

  test('[WS3] of a linked work tree, a shallow clone and a borrowing clone is whole', async () => {
    const fixture = fixtureOf();
    fixture.git('commit', '-q', '--allow-empty', '-m', 'second');
    const places = ['linked', 'shallow', 'borrowing'].map((name) => join(fixture.root, name));
    const [linked = '', shallow = '', borrowing = ''] = places;
    fixture.git('worktree', 'add', '-q', linked);
    gitIn(fixture.root, 'clone', '-q', '--depth=1', `file://${fixture.projectDir}`, shallow);
    gitIn(fixture.root, 'clone', '-q', '--shared', fixture.projectDir, borrowing);
    const baseCommit = fixture.git('rev-parse', 'HEAD');
    for (const [i, projectDir] of places.entries()) {
      valueOf(await fixture.workspaces.create(`run_${i}`, { projectDir, baseCommit }));
      const tree = fixture.workspaces.pathOf(`run_${i}`);
      expect(gitIn(tree, 'status', '--porcelain')).toBe('');
      const subjects = projectDir === shallow ? 'second' : 'second\nfirst';
      expect(gitIn(tree, 'log', '--format=%s')).toBe(subjects);
    }
  });

  test('[WS3] of a project with SHA-256 names works like any other', async () => {
    const fixture = fixtureOf();
    const projectDir = join(fixture.root, 'sha256');
    gitIn(fixture.root, 'init', '-q', '--object-format=sha256', projectDir);
    putFiles(projectDir, { 'a.txt': 'a', 'b/c.txt': 'c' });
    gitIn(projectDir, 'add', '-A');
    gitIn(projectDir, 'commit', '-q', '-m', 'first');
    const { workspaces } = fixture;
    const baseCommit = valueOf(await workspaces.inspect(projectDir)).baseCommit;
    const { checkpoint } = valueOf(await workspaces.create('run_1', { projectDir, baseCommit }));
    const tree = workspaces.pathOf('run_1');
    putFiles(tree, { 'a.txt': 'changed', 'd.txt': 'new' });
    const next = valueOf(await workspaces.checkpoint('run_1', checkpoint, 'build/1'));
    expect(valueOf(await workspaces.checkpoint('run_1', next, 'build/2'))).toEqual(next);
    valueOf(await workspaces.restore('run_1', checkpoint, 'build/1'));
    expect(listing(tree)).toEqual(listing(projectDir));
  });

  test('[WS6] works on when the project loses its branch and collects its garbage', async () => {
    const { fixture, base, tree, checkpoint, restore, changed } = await started();
    const { git } = fixture;
    git('gc', '-q');
    git('checkout', '-q', '--orphan', 'other');
    git('commit', '-q', '--allow-empty', '-m', 'other');
    git('branch', '-D', 'main');
    git('reflog', 'expire', '--expire=all', '--all');
    git('gc', '-q', '--prune=now');
    expect(() => git('cat-file', '-e', base.commit)).toThrow();
    putFiles(tree, { 'src/a.txt': 'two\n' });
    const next = await checkpoint(base);
    expect(await changed(base, next)).toEqual(['modified src/a.txt']);
    rmSync(join(tree, 'readme.md'));
    await restore(base);
    expect(readFileSync(join(tree, 'readme.md'), 'utf8')).toBe('hello\n');
    expect(gitIn(tree, 'fsck', '--no-dangling')).toBe('');
  });
});

describe('a checkpoint', () => {
  test('[WS7] is a commit on the one before it, and that one itself when nothing changed', async () => {
    const { base, tree, repository, checkpoint } = await started();
    expect(await checkpoint(base)).toEqual(base);
    putFiles(tree, { 'src/b.txt': 'new' });
    const one = await checkpoint(base, 'build/1');
    expect(gitIn(repository, 'log', '-1', '--format=%H %P %T %an <%ae> %s', one.commit)).toBe(
      `${one.commit} ${base.commit} ${one.tree} CCDash <ccdash@localhost> build/1`,
    );
    expect(gitIn(repository, 'rev-parse', 'refs/ccdash/checkpoints/build/1')).toBe(one.commit);
    expect(await checkpoint(one, 'build/2')).toEqual(one);
  });

  test('[WS7] sees every edit, also one of the same size made right after the last', async () => {
    const { base, tree, checkpoint } = await started();
    let last = base;
    const seen = new Set<string>();
    for (let i = 0; i < 10; i += 1) {
      writeFileSync(join(tree, 'src/a.txt'), `${i}`);
      last = await checkpoint(last, `build/${i}`);
      seen.add(last.tree);
    }
    expect(seen.size).toBe(10);
  });

  test('[WS7] keeps bytes, odd names, links and the right to execute, whatever .gitattributes says', async () => {
    const { base, tree, restore, checkpoint } = await started();
    putFiles(tree, {
      '.gitattributes': '* text eol=crlf ident filter=x working-tree-encoding=UTF-16\n',
      'mixed.txt': 'one\r\ntwo\n$Id$\n',
      'back\\slash': 'x',
      'git~1': 'x',
      'line\nbreak "quoted"': 'x',
      'sub/.gitignore': '*\n',
      'sub/ignored.txt': 'kept all the same',
    });
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]), 'x');
    chmodSync(join(tree, 'mixed.txt'), 0o755);
    symlinkSync('/etc/passwd', join(tree, 'out'));
    symlinkSync('nowhere', join(tree, 'dangling'));
    const before = listing(tree);
    const kept = await checkpoint(base);
    await restore(base, 'a');
    expect(Object.keys(listing(tree))).toEqual(['readme.md', 'src', 'src/a.txt']);
    await restore(kept, 'b');
    expect(listing(tree)).toEqual(before);
  });

  test('[WS8] leaves out installed packages and caches, unless the project tracks them', async () => {
    const { base, tree, checkpoint, changed, restore } = await started({
      'a.txt': 'a',
      'tracked/node_modules/lib.js': 'old',
    });
    putFiles(tree, {
      'node_modules/x/index.js': 'x',
      'target/CACHEDIR.TAG': 'Signature: 8a477f597d28d172789f06886806bc55',
      'target/debug/out.o': 'x',
      'tracked/node_modules/lib.js': 'new',
      'tracked/node_modules/more.js': 'more',
      'dist/app.js': 'built',
    });
    const next = await checkpoint(base);
    expect(await changed(base, next)).toEqual([
      'added dist/app.js',
      'modified tracked/node_modules/lib.js',
      'added tracked/node_modules/more.js',
    ]);
    await restore(base);
    expect(existsSync(join(tree, 'node_modules/x/index.js'))).toBe(true);
    expect(existsSync(join(tree, 'target/debug/out.o'))).toBe(true);
    expect(existsSync(join(tree, 'tracked/node_modules/more.js'))).toBe(false);
  });

  test('[WS9] names the files that are too large, but not one the project already has', async () => {
    const { fixture, base, tree, checkpoint } = await started(
      { 'large.bin': 'x'.repeat(2000) },
      { maxFileBytes: 1000 },
    );
    expect(await checkpoint(base)).toEqual(base);
    putFiles(tree, { 'out/huge.bin': 'y'.repeat(1001), 'fits.bin': 'y'.repeat(1000) });
    const refused = failureOf(await fixture.workspaces.checkpoint('run_1', base, 'build/1'));
    expect(refused).toMatchObject({ code: 'file_too_large' });
    expect(refused.message).toContain('out/huge.bin');
    expect(refused.message).not.toContain('fits.bin');
    rmSync(join(tree, 'out'), { recursive: true });
    expect(await checkpoint(base)).not.toEqual(base);
  });

  test('[WS7] reads what the step has closed with permissions', async () => {
    const { base, tree, checkpoint, changed } = await started();
    putFiles(tree, { 'closed/a.txt': 'a', 'closed.txt': 'b' });
    chmodSync(join(tree, 'closed.txt'), 0);
    chmodSync(join(tree, 'closed'), 0);
    const next = await checkpoint(base);
    expect(await changed(base, next)).toEqual(['added closed.txt', 'added closed/a.txt']);
  });

  test('[WS10] keeps submodules as they were, and files that take the place of one', async () => {
    const fixture = fixtureOf();
    const id = fixture.git('rev-parse', 'HEAD');
    for (const path of ['one', 'two', 'three']) {
      fixture.git('update-index', '--add', '--cacheinfo', `160000,${id},${path}`);
    }
    fixture.git('commit', '-q', '-m', 'submodules');
    const base = await fixture.start();
    const { workspaces } = fixture;
    const tree = workspaces.pathOf('run_1');
    expect(valueOf(await workspaces.checkpoint('run_1', base, 'a'))).toEqual(base);
    putFiles(tree, { 'two/file.txt': 'x' });
    rmSync(join(tree, 'three'), { recursive: true });
    const next = valueOf(await workspaces.checkpoint('run_1', base, 'b'));
    expect(valueOf(await workspaces.changes('run_1', base, next))).toEqual([
      { path: 'three', change: 'deleted' },
      { path: 'two', change: 'deleted' },
      { path: 'two/file.txt', change: 'added' },
    ]);
    valueOf(await workspaces.restore('run_1', base, 'c'));
    expect(valueOf(await workspaces.checkpoint('run_1', base, 'd'))).toEqual(base);
    expect(readdirSync(tree).sort()).toContain('three');
  });

  test('[WS11] is made with an index that was lost, damaged, or left locked', async () => {
    const { base, tree, repository, checkpoint, changed } = await started();
    const index = join(repository, 'index');
    const damages = [
      () => rmSync(index),
      () => writeFileSync(index, ''),
      () => writeFileSync(index, readFileSync(index).fill(0, 40, 60)),
      () => writeFileSync(`${index}.lock`, 'half'),
    ];
    for (const [i, damage] of damages.entries()) {
      putFiles(tree, { 'b.txt': `${i}` });
      damage();
      const next = await checkpoint(base, `build/${i}`);
      expect(await changed(base, next)).toEqual(['added b.txt']);
    }
  });

  test('[WS20] is made where a git that was killed has left its ref locked', async () => {
    const { base, tree, repository, checkpoint, changed } = await started();
    putFiles(tree, { 'b.txt': '1' });
    putFiles(repository, { 'refs/ccdash/checkpoints/build/1.lock': '' });
    const next = await checkpoint(base, 'build/1');
    expect(await changed(base, next)).toEqual(['added b.txt']);
  });

  test('[WS21] waits for what else is done with the same run', async () => {
    const { fixture, base, tree } = await started();
    const { workspaces } = fixture;
    putFiles(tree, { 'b.txt': 'b' });
    const labels = Array.from({ length: 6 }, (_, i) => `build/${i}`);
    const made = await Promise.all([
      ...labels.map((label) => workspaces.checkpoint('run_1', base, label)),
      workspaces.restore('run_1', base, 'aside'),
    ]);
    const trees = new Set(made.map((each) => valueOf(each)?.tree));
    expect(trees.size).toBe(1);
    expect(existsSync(join(tree, 'b.txt'))).toBe(false);
  });
});

describe('differences', () => {
  test('[WS12] are listed with what happened to each path, sorted', async () => {
    const { base, tree, checkpoint, changed } = await started({ a: 'a', b: 'b', c: 'c' });
    rmSync(join(tree, 'a'));
    rmSync(join(tree, 'c'));
    symlinkSync('b', join(tree, 'c'));
    putFiles(tree, { b: 'B', 'd é': 'd' });
    const next = await checkpoint(base);
    const forth = ['deleted a', 'modified b', 'type-changed c', 'added d é'];
    expect(await changed(base, next)).toEqual(forth);
    expect(await changed(next, next)).toEqual([]);
  });

  test('[WS12] are shown as text, however .gitattributes would hide them, and cut off', async () => {
    const { fixture, base, tree, checkpoint } = await started();
    putFiles(tree, { '.gitattributes': '* -diff\n*.md diff=x\n', 'readme.md': 'changed\n' });
    const next = await checkpoint(base);
    const whole = valueOf(await fixture.workspaces.diff('run_1', base, next, 100_000));
    expect(whole.truncated).toBe(false);
    expect(whole.text).toContain(
      '--- a/readme.md\n+++ b/readme.md\n@@ -1 +1 @@\n-hello\n+changed\n',
    );
    const cut = valueOf(await fixture.workspaces.diff('run_1', base, next, 50));
    expect(cut).toEqual({ text: whole.text.slice(0, 50), truncated: true });
  });

  test('[WS12] of something that is no checkpoint are refused', async () => {
    const { fixture, base } = await started();
    const odd = { commit: '--output=/tmp/x', tree: 'HEAD' };
    const unknown = { commit: '1'.repeat(40), tree: '1'.repeat(40) };
    const { workspaces } = fixture;
    expect(failureOf(await workspaces.changes('run_1', base, odd)).code).toBe('checkpoint_unknown');
    expect(failureOf(await workspaces.diff('run_1', base, unknown, 10)).code).toBe('git_failed');
    expect(failureOf(await workspaces.restore('run_1', unknown, 'a')).code).toBe('git_failed');
  });
});

describe('setting back', () => {
  test('[WS13] keeps what differed, and says so only when something did', async () => {
    const { base, tree, repository, restore } = await started();
    expect(await restore(base)).toBeNull();
    putFiles(tree, { 'src/a.txt': 'worked on', 'new/deep/file.txt': 'new' });
    mkdirSync(join(tree, 'empty/folder'), { recursive: true });
    const aside = await restore(base);
    expect(Object.keys(listing(tree))).toEqual(['readme.md', 'src', 'src/a.txt']);
    expect(gitIn(repository, 'rev-parse', 'refs/ccdash/aside/build/1')).toBe(aside?.commit);
    expect(gitIn(repository, 'show', `${String(aside?.commit)}:new/deep/file.txt`)).toBe('new');
    expect(gitIn(repository, 'show', `${String(aside?.commit)}:src/a.txt`)).toBe('worked on');
  });

  test('[WS15] done again gives the same answer, and loses nothing that came since', async () => {
    const { base, tree, repository, restore } = await started();
    putFiles(tree, { 'src/a.txt': 'first', 'b.txt': 'b' });
    const first = await restore(base);
    expect(await restore(base)).toEqual(first);
    putFiles(tree, { 'src/a.txt': 'second' });
    const second = await restore(base);
    expect(second).not.toEqual(first);
    const history = gitIn(repository, 'log', '--format=%H', 'refs/ccdash/aside/build/1').split(
      '\n',
    );
    expect(history).toContain(first?.commit);
  });

  test('[WS20] cut off half way leaves no tree that could be taken for work', async () => {
    const { fixture, base, tree, restore } = await started();
    // What a process that is killed leaves behind.
    writeFileSync(
      join(fixture.stateDir, 'workspaces/run_1/unfinished-restore.json'),
      JSON.stringify({ keepAs: 'build/1', target: base, aside: base }),
    );
    putFiles(tree, { 'half.txt': 'half' });
    const refused = failureOf(await fixture.workspaces.checkpoint('run_1', base, 'build/1'));
    expect(refused.code).toBe('restore_unfinished');
    expect(await restore(base)).toEqual(base);
    valueOf(await fixture.workspaces.checkpoint('run_1', base, 'build/1'));
  });

  test('[WS80] leaves empty folders and pipes that the checkpoint had, and removes newer ones', async () => {
    const { tree, base, checkpoint, restore } = await started({ 'a/b': '1' });
    mkdirSync(join(tree, 'out/\u00e9'), { recursive: true });
    execFileSync('mkfifo', [join(tree, 'pipe')]);
    const had = listing(tree);
    const made = await checkpoint(base);
    expect(made.commit).not.toBe(base.commit);
    expect(made.tree).toBe(base.tree);
    // Again without a change: nothing new to say.
    expect(await checkpoint(made, 'build/2')).toEqual(made);
    mkdirSync(join(tree, 'later'));
    execFileSync('mkfifo', [join(tree, 'later.pipe')]);
    rmSync(join(tree, 'out'), { recursive: true });
    await restore(made);
    expect(listing(tree)).toEqual(had);
    await restore(base, 'review/1');
    expect(Object.keys(listing(tree))).toEqual(['a', 'a/b']);
  });

  test('[WS80] makes no folder behind a link that lies in its way now', async () => {
    const { tree, base, checkpoint, restore, fixture } = await started({ 'a/b': '1' });
    mkdirSync(join(tree, 'out/node_modules'), { recursive: true });
    const made = await checkpoint(base);
    rmSync(join(tree, 'out'), { recursive: true });
    const outside = join(fixture.stateDir, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(tree, 'out'));
    await restore(made);
    expect(readdirSync(outside)).toEqual([]);
    expect(statSync(join(tree, 'out')).isDirectory()).toBe(true);
  });

  test('[WS14] moves what no commit can hold out of the tree, whole', async () => {
    const { fixture, base, tree, restore } = await started({ a: 'a' }, { maxFileBytes: 1000 });
    putFiles(tree, { 'out/huge.bin': 'y'.repeat(5000), 'clone/file.txt': 'x' });
    gitIn(join(tree, 'clone'), 'init', '-q');
    execFileSync('mkfifo', [join(tree, 'pipe')]);
    expect(await restore(base)).not.toBeNull();
    expect(readdirSync(tree).sort()).toEqual(['.git', 'a']);
    const aside = join(fixture.stateDir, 'workspaces/run_1/aside/build_1');
    const moved = readdirSync(aside).flatMap((place) => readdirSync(join(aside, place)));
    expect(moved.sort()).toEqual(['.git', 'huge.bin']);
  });

  test('[WS14] manages a tree too deep for any path', async () => {
    const { fixture, base, tree, restore } = await started();
    const name = 'd'.repeat(250);
    // A path of more than 4096 bytes has to be made from within.
    execFileSync(
      'sh',
      ['-c', `for i in $(seq 20); do mkdir ${name} && cd -P ${name}; done; :> f`],
      {
        cwd: tree,
      },
    );
    const refused = failureOf(await fixture.workspaces.checkpoint('run_1', base, 'build/1'));
    expect(refused.code).toBe('folder_closed');
    await restore(base);
    expect(readdirSync(tree).sort()).toEqual(['.git', 'readme.md', 'src']);
    execFileSync('rm', ['-rf', join(fixture.stateDir, 'workspaces/run_1/aside')]);
  });

  test('[WS13] manages folders and files swapped for each other, and folders closed for writing', async () => {
    const { base, tree, restore } = await started({ 'a/b/c.txt': 'c', d: 'd', 'e/f': 'f' });
    rmSync(join(tree, 'a'), { recursive: true });
    rmSync(join(tree, 'd'));
    putFiles(tree, { a: 'now a file', 'd/node_modules/x.js': 'x', 'd/y/z': 'z', 'e/g': 'g' });
    chmodSync(join(tree, 'e'), 0o500);
    await restore(base);
    expect(listing(tree, { withFolders: false })).toEqual(
      listing(tree, { withFolders: false, without: ['.git', 'node_modules'] }),
    );
    expect(readFileSync(join(tree, 'a/b/c.txt'), 'utf8')).toBe('c');
    expect(readFileSync(join(tree, 'd'), 'utf8')).toBe('d');
    expect(readdirSync(join(tree, 'e'))).toEqual(['f']);
  });
});

describe('files of a workspace', () => {
  test('[WS16] are read when they are regular and lie in it', async () => {
    const { fixture, tree } = await started();
    symlinkSync('readme.md', join(tree, 'inside'));
    symlinkSync('/etc/passwd', join(tree, 'outside'));
    symlinkSync('/etc', join(tree, 'etc'));
    symlinkSync('loop', join(tree, 'loop'));
    execFileSync('mkfifo', [join(tree, 'pipe')]);
    const read = (path: string, maxBytes = 100): Promise<string> =>
      fixture.workspaces
        .readFile('run_1', path, maxBytes)
        .then((got) => (got.ok ? Buffer.from(got.value).toString() : got.error.code));
    expect(await read('readme.md')).toBe('hello\n');
    expect(await read('readme.md', 6)).toBe('hello\n');
    expect(await read('readme.md', 5)).toBe('too_large');
    expect(await read('inside')).toBe('hello\n');
    expect(await read('outside')).toBe('leads_out');
    expect(await read('etc/passwd')).toBe('leads_out');
    expect(await read('loop')).toBe('leads_out');
    expect(await read('pipe')).toBe('not_a_file');
    expect(await read('src')).toBe('not_a_file');
    expect(await read('gone.txt')).toBe('file_missing');
    expect(await read('readme.md/x')).toBe('file_missing');
    expect(await read('./src//../readme.md')).toBe('invalid_path');
    expect(await read('.//readme.md')).toBe('hello\n');
    for (const path of ['', '.', '/etc/passwd', '../state', 'a\0b']) {
      expect(await read(path)).toBe('invalid_path');
    }
  });

  test('[WS17] are found by globs, sorted, with links but without ignored folders', async () => {
    const { fixture, tree } = await started();
    putFiles(tree, {
      'dist/z.js': '',
      'dist/a.js': '',
      'dist/a.map': '',
      'node_modules/dist/b.js': '',
      'sub/report.xml': '',
    });
    symlinkSync('a.js', join(tree, 'dist/link.js'));
    const matched = async (...globs: readonly string[]): Promise<readonly string[]> =>
      valueOf(await fixture.workspaces.match('run_1', globs));
    expect(await matched('dist/*.js')).toEqual(['dist/a.js', 'dist/link.js', 'dist/z.js']);
    expect(await matched('dist/*', '!*.map', 'report.xml')).toEqual([
      'dist/a.js',
      'dist/link.js',
      'dist/z.js',
      'sub/report.xml',
    ]);
    expect(await matched('*.none')).toEqual([]);
  });
});

describe('carrying over', () => {
  test('[WS18] brings untracked files and folders, which stay out of every checkpoint', async () => {
    const { fixture, base, tree, checkpoint, restore, changed } = await started();
    const { projectDir, workspaces } = fixture;
    putFiles(projectDir, { 'config/.env': 'SECRET=1', 'packages/x/index.js': 'x' });
    chmodSync(join(projectDir, 'packages/x/index.js'), 0o755);
    symlinkSync('x/index.js', join(projectDir, 'packages/run'));
    const paths = ['./config/.env', 'packages/'];
    valueOf(await workspaces.carryOver('run_1', projectDir, paths));
    expect(listing(join(tree, 'packages'))).toEqual(listing(join(projectDir, 'packages')));
    expect(await checkpoint(base)).toEqual(base);
    putFiles(tree, { 'config/other': 'x', 'packages/y': 'y' });
    expect(await changed(base, await checkpoint(base))).toEqual(['added config/other']);
    await restore(base);
    expect(readFileSync(join(tree, 'config/.env'), 'utf8')).toBe('SECRET=1');
    putFiles(projectDir, { 'config/.env': 'SECRET=2' });
    valueOf(await workspaces.carryOver('run_1', projectDir, paths));
    expect(readFileSync(join(tree, 'config/.env'), 'utf8')).toBe('SECRET=2');
  });

  test('[WS18] refuses what leads out of the project or the workspace, and copies nothing then', async () => {
    const { fixture, tree } = await started();
    const { projectDir, workspaces, root } = fixture;
    putFiles(root, { 'secret.txt': 'secret', 'elsewhere/keep.txt': 'keep' });
    putFiles(projectDir, { 'ok.txt': 'ok', 'data/new.txt': 'new' });
    symlinkSync(root, join(projectDir, 'up'));
    symlinkSync(join(root, 'elsewhere'), join(tree, 'data'));
    const cases = {
      '../secret.txt': 'invalid_path',
      '/etc/passwd': 'invalid_path',
      '.git/config': 'invalid_path',
      'up/secret.txt': 'leads_out',
      up: 'leads_out',
      'none.txt': 'carry_missing',
      'data/new.txt': 'leads_out',
    };
    for (const [path, code] of Object.entries(cases)) {
      const carried = await workspaces.carryOver('run_1', projectDir, ['ok.txt', path]);
      expect([path, failureOf(carried).code]).toEqual([path, code]);
    }
    expect(existsSync(join(tree, 'ok.txt'))).toBe(false);
    expect(readdirSync(join(root, 'elsewhere'))).toEqual(['keep.txt']);
  });
});

describe('what is missing', () => {
  test('[WS19] is named: a workspace that was deleted, or turned into a link', async () => {
    const { fixture, base, tree } = await started();
    const { workspaces, projectDir, root } = fixture;
    const ask = async (): Promise<readonly string[]> => {
      const answers = await Promise.all([
        workspaces.checkpoint('run_1', base, 'a'),
        workspaces.restore('run_1', base, 'a'),
        workspaces.readFile('run_1', 'readme.md', 10),
        workspaces.match('run_1', ['*']),
        workspaces.ready('run_1', 'a'),
        workspaces.carryOver('run_1', projectDir, []),
        workspaces.create('run_1', { projectDir, baseCommit: base.commit }),
      ]);
      return [...new Set(answers.map((answer) => failureOf<unknown>(answer).code))];
    };
    rmSync(tree, { recursive: true });
    expect(await ask()).toEqual(['workspace_missing']);
    putFiles(root, { 'precious/file.txt': 'mine' });
    symlinkSync(join(root, 'precious'), tree);
    expect(await ask()).toEqual(['workspace_missing']);
    expect(readdirSync(join(root, 'precious'))).toEqual(['file.txt']);
  });

  test('[WS19] is named: git', async () => {
    const { projectDir, stateDir } = fixtureOf();
    const workspaces = createWorkspaces({ stateDir, git: '/nonexistent/git' });
    const refused = failureOf(await workspaces.inspect(projectDir));
    expect(refused.code).toBe('program_missing');
    expect(refused.hint).toContain('Install git');
  });
});
