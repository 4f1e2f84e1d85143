/** Repositories, agents and their files try to have something run, or something outside changed. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  createWorkspaceFixture,
  gitIn,
  listing,
  putFiles,
  valueOf,
} from '../../test/workspace-fixture.ts';
import type { WorkspaceFixture } from '../../test/workspace-fixture.ts';

// Many processes of git each, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

const HOSTILE_SUBMODULE = `[submodule "s"]
  path = s
  url = ext::sh -c "touch /tmp/s"
  update = !sh -c "touch /tmp/u"
`;

let fixture: WorkspaceFixture;
/** Folder outside the workspace: whatever is run writes to `ran`, and `keep.txt` must stay as it is. */
let outside: string;

beforeEach(() => {
  fixture = createWorkspaceFixture({
    'src/a.txt': 'one\n',
    'b.txt': 'two\n',
    '.gitattributes': '* filter=x diff=x merge=x\n*.bin filter=odd=name\n',
    'c.bin': 'three\n',
    '.gitmodules': '',
  });
  fixture.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},s`);
  fixture.git('commit', '-q', '-m', 'submodule');
  outside = join(fixture.root, 'outside');
  putFiles(outside, { 'keep.txt': 'precious' });
});
afterEach(() => fixture.close());

/** A program that tells that it was run. */
function trap(name: string): string {
  const file = join(outside, `${name}.sh`);
  writeFileSync(file, `#!/bin/sh\necho ${name} >> ${join(outside, 'ran')}\ncat\n`);
  chmodSync(file, 0o755);
  return file;
}

/** Sets everything in a repository's configuration that names a program. */
function setTraps(dir: string): void {
  const hooks = join(outside, 'hooks');
  mkdirSync(hooks, { recursive: true });
  const names = ['post-checkout', 'pre-commit', 'post-index-change', 'reference-transaction'];
  for (const name of [...names, 'post-commit', 'post-merge', 'update', 'pre-auto-gc']) {
    symlinkSync(trap(`hook-${name}`), join(hooks, `${name}.new`));
    renameSync(join(hooks, `${name}.new`), join(hooks, name));
  }
  const settings: Readonly<Record<string, string>> = {
    'core.hooksPath': hooks,
    'core.fsmonitor': trap('fsmonitor'),
    'core.pager': trap('pager'),
    'core.sshCommand': trap('ssh'),
    'core.askPass': trap('askpass'),
    'core.gitProxy': trap('proxy'),
    'core.alternateRefsCommand': trap('alternate-refs'),
    'core.editor': trap('editor'),
    'credential.helper': trap('credential'),
    'diff.external': trap('diff-external'),
    'diff.x.command': trap('diff-command'),
    'diff.x.textconv': trap('textconv'),
    'merge.x.driver': trap('merge'),
    'filter.x.clean': trap('clean'),
    'filter.x.smudge': trap('smudge'),
    'filter.x.process': trap('process'),
    'filter.x.required': 'true',
    'filter.odd=name.clean': trap('odd-clean'),
    'uploadpack.packObjectsHook': trap('pack-objects'),
    'remote.origin.url': `ext::sh -c ${trap('ext')}`,
    'remote.origin.uploadpack': trap('uploadpack'),
    'protocol.ext.allow': 'always',
    'gpg.program': trap('gpg'),
    'commit.gpgSign': 'true',
    'submodule.recurse': 'true',
    'status.submoduleSummary': 'true',
    'alias.status': `!${trap('alias')}`,
    'gc.auto': '1',
    'core.autocrlf': 'true',
    'diff.ignoreSubmodules': 'none',
  };
  for (const [key, value] of Object.entries(settings)) gitIn(dir, 'config', key, value);
}

const ranSoFar = (): boolean => existsSync(join(outside, 'ran'));

test('[WS5] the traps of this file do go off when git is used without care', () => {
  setTraps(fixture.projectDir);
  appendFileSync(join(fixture.projectDir, 'b.txt'), 'more\n');
  try {
    fixture.git('status');
  } catch {
    // It may fail after the traps went off; only those are looked at here.
  }
  expect(ranSoFar()).toBe(true);
});

test('[WS5] nothing of the project is run, and not a byte of it is changed', async () => {
  const { projectDir, workspaces } = fixture;
  putFiles(projectDir, { 'untracked.txt': 'u', 'nested/n.txt': 'n' });
  gitIn(join(projectDir, 'nested'), 'init', '-q');
  appendFileSync(join(projectDir, 'b.txt'), 'stashed\n');
  fixture.git('stash');
  putFiles(projectDir, { '.gitmodules': HOSTILE_SUBMODULE });
  fixture.git('commit', '-q', '-m', 'hostile submodule', '.gitmodules');
  appendFileSync(join(projectDir, 'b.txt'), 'more\n');
  setTraps(projectDir);
  setTraps(join(projectDir, 'nested'));
  const before = listing(projectDir, { without: [], withTimes: true });

  const { baseCommit, notCarried } = valueOf(await workspaces.inspect(projectDir));
  expect(notCarried.join(' ')).toContain('1 changed but not staged, 2 untracked');
  const { checkpoint } = valueOf(await workspaces.create('run_1', { projectDir, baseCommit }));
  const tree = workspaces.pathOf('run_1');
  putFiles(tree, { 'b.txt': 'changed', 'd.txt': 'new' });
  const next = valueOf(await workspaces.checkpoint('run_1', checkpoint, 'build/1'));
  valueOf(await workspaces.changes('run_1', checkpoint, next));
  valueOf(await workspaces.diff('run_1', checkpoint, next, 10_000));
  valueOf(await workspaces.restore('run_1', checkpoint, 'build/2'));
  valueOf(await workspaces.carryOver('run_1', projectDir, ['untracked.txt']));

  expect(ranSoFar()).toBe(false);
  expect(listing(projectDir, { without: [], withTimes: true })).toEqual(before);
  expect(gitIn(tree, 'remote')).toBe('');
  expect(fixture.git('for-each-ref', '--format=%(refname)')).toBe('refs/heads/main\nrefs/stash');
});

test('[WS10] nothing that the work of a step leaves behind is run, and its files are kept', async () => {
  const base = await fixture.start();
  const { workspaces } = fixture;
  const tree = workspaces.pathOf('run_1');
  setTraps(tree);
  putFiles(tree, { '.gitmodules': HOSTILE_SUBMODULE });
  const first = valueOf(await workspaces.checkpoint('run_1', base, 'build/0'));
  for (const name of ['nested', 'empty']) {
    putFiles(tree, { [`${name}/n.txt`]: 'n', [`${name}/.gitattributes`]: '* filter=x diff=x\n' });
    gitIn(join(tree, name), 'init', '-q');
  }
  gitIn(join(tree, 'nested'), 'add', '-A');
  gitIn(join(tree, 'nested'), 'commit', '-q', '-m', 'nested');
  setTraps(join(tree, 'nested'));
  setTraps(join(tree, 'empty'));
  gitIn(tree, 'init', '-q', '--bare', 'bare');
  setTraps(join(tree, 'bare'));
  putFiles(tree, { 'nested/n.txt': 'changed' });
  rmSync(join(tree, '.gitmodules'));
  symlinkSync('elsewhere', join(tree, '.gitmodules'));
  rmSync(join(tree, 'c.bin'));
  for (const name of ['pipe', 'c.bin']) execFileSync('mkfifo', [join(tree, name)]);
  const before = listing(tree, { withFolders: false });

  const next = valueOf(await workspaces.checkpoint('run_1', base, 'build/1'));
  putFiles(tree, { 'nested/n.txt': 'changed again' });
  const last = valueOf(await workspaces.checkpoint('run_1', next, 'build/2'));
  const changed = valueOf(await workspaces.changes('run_1', base, last)).map(({ path }) => path);
  expect(changed).toEqual(expect.arrayContaining(['nested/n.txt', 'empty/n.txt', 'bare/HEAD']));
  expect(valueOf(await workspaces.diff('run_1', base, last, 100_000)).text).toContain(
    'changed again',
  );
  valueOf(await workspaces.restore('run_1', next, 'a'));
  expect(listing(tree, { withFolders: false })).toEqual(before);
  valueOf(await workspaces.restore('run_1', first, 'b'));
  valueOf(await workspaces.restore('run_1', base, 'c'));

  expect(ranSoFar()).toBe(false);
  expect(listing(tree, { without: ['.git', 's'] })).toEqual(listing(fixture.projectDir));
});

test('[WS10] links that lead out are kept as links, and nothing behind them is touched', async () => {
  const base = await fixture.start();
  const { workspaces } = fixture;
  const tree = workspaces.pathOf('run_1');
  const before = listing(outside, { withTimes: true });
  rmSync(join(tree, 'src'), { recursive: true });
  symlinkSync(outside, join(tree, 'src'));
  symlinkSync(join(outside, 'keep.txt'), join(tree, 'link'));
  mkdirSync(join(tree, 'deep'));
  symlinkSync(outside, join(tree, 'deep/link'));
  symlinkSync(outside, join(tree, 'node_modules'));
  const swapped = valueOf(await workspaces.checkpoint('run_1', base, 'build/1'));
  expect(valueOf(await workspaces.changes('run_1', base, swapped))).toEqual([
    { path: 'deep/link', change: 'added' },
    { path: 'link', change: 'added' },
    { path: 'src', change: 'added' },
    { path: 'src/a.txt', change: 'deleted' },
  ]);
  valueOf(await workspaces.restore('run_1', base, 'a'));
  expect(readdirSync(join(tree, 'src'))).toEqual(['a.txt']);
  valueOf(await workspaces.restore('run_1', swapped, 'b'));
  // Swapped again, after the index has seen a folder there.
  valueOf(await workspaces.restore('run_1', base, 'c'));
  rmSync(join(tree, 'src'), { recursive: true });
  symlinkSync(outside, join(tree, 'src'));
  writeFileSync(join(outside, 'a.txt'), 'mine');
  valueOf(await workspaces.restore('run_1', base, 'd'));
  rmSync(join(outside, 'a.txt'));
  expect(listing(outside, { withTimes: true })).toEqual(before);
});
