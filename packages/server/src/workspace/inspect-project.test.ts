import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createWorkspaceFixture,
  failureOf,
  gitIn,
  putFiles,
  valueOf,
} from '../../test/workspace-fixture.ts';
import type { WorkspaceFixture } from '../../test/workspace-fixture.ts';
import { publicAddress } from './project-repository.ts';

// Many processes of git each, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let fixture: WorkspaceFixture;
beforeEach(() => {
  fixture = createWorkspaceFixture();
});
afterEach(() => fixture.close());

const notCarried = async (dir = fixture.projectDir): Promise<readonly string[]> =>
  valueOf(await fixture.workspaces.inspect(dir)).notCarried;

describe('a project', () => {
  test('[WS1] in which all is committed gives its HEAD, also from a folder within', async () => {
    const baseCommit = fixture.git('rev-parse', 'HEAD');
    for (const dir of [fixture.projectDir, join(fixture.projectDir, 'src')]) {
      const inspected = valueOf(await fixture.workspaces.inspect(dir));
      expect(inspected).toEqual({ baseCommit, notCarried: [] });
    }
  });

  test('[WS1] counts what is not committed', async () => {
    const { projectDir, git } = fixture;
    putFiles(projectDir, { 'staged.txt': 's', 'u1.txt': 'u', 'u2.txt': 'u' });
    git('add', 'staged.txt');
    appendFileSync(join(projectDir, 'readme.md'), 'more\n');
    rmSync(join(projectDir, 'src/a.txt'));
    const [sentence = '', ...others] = await notCarried();
    expect(sentence).toContain('(1 staged, 2 changed but not staged, 2 untracked)');
    expect(sentence).toContain(git('rev-parse', 'HEAD').slice(0, 12));
    expect(others).toEqual([]);
  });

  test('[WS1] tells of submodules, Git LFS, a short history and a detached HEAD', async () => {
    const { projectDir, git, root } = fixture;
    putFiles(projectDir, {
      '.gitattributes': '*.psd filter=lfs\n',
      'a.psd': 'version https://git-lfs.github.com/spec/v1\n',
      'art/b.psd': 'version https://git-lfs.github.com/spec/v1\n',
    });
    git('add', '-A');
    git('update-index', '--add', '--cacheinfo', `160000,${git('rev-parse', 'HEAD')},vendor/lib`);
    git('commit', '-q', '-m', 'more');
    mkdirSync(join(projectDir, 'vendor/lib'), { recursive: true });
    const shallow = join(root, 'shallow');
    gitIn(root, 'clone', '-q', '--depth=1', `file://${projectDir}`, shallow);
    gitIn(shallow, 'checkout', '-q', '--detach');
    const sentences = (await notCarried(shallow)).join('\n');
    expect(sentences).toContain('vendor/lib');
    expect(sentences).toContain('2 files are kept by Git LFS');
    expect(sentences).toContain('shallow');
    expect(sentences).toContain('on no branch');
  });

  test('[WS2] that is none is refused, with what to do', async () => {
    const { workspaces, root } = fixture;
    const bare = join(root, 'bare.git');
    const empty = join(root, 'empty');
    const plain = join(root, 'plain');
    gitIn(root, 'init', '-q', '--bare', bare);
    gitIn(root, 'init', '-q', empty);
    mkdirSync(plain);
    const cases = {
      [bare]: 'bare_repository',
      [empty]: 'no_commit',
      [plain]: 'not_a_repository',
      [join(root, 'none')]: 'not_a_repository',
      [join(fixture.projectDir, 'readme.md')]: 'not_a_repository',
    };
    for (const [dir, code] of Object.entries(cases)) {
      const refused = failureOf(await workspaces.inspect(dir));
      expect([dir, refused.code]).toEqual([dir, code]);
      expect(refused.message).toContain(dir);
      expect(refused.hint).not.toBeNull();
    }
  });
});

describe('the address of a remote', () => {
  test.each([
    ['https://git.example.com/a/b.git', 'https://git.example.com/a/b.git'],
    ['https://user:secret@git.example.com:8443/a', 'https://git.example.com:8443/a'],
    ['https://token@git.example.com/a', 'https://git.example.com/a'],
    ['git@git.example.com:team/app.git', 'git@git.example.com:team/app.git'],
    ['ssh://git@git.example.com:2222/app', 'ssh://git@git.example.com:2222/app'],
  ])('[WS3] %s is kept as %s', (url, kept) => {
    expect(publicAddress(url)).toBe(kept);
  });

  test.each([
    '',
    '/srv/app.git',
    '../app',
    'file:///srv/app.git',
    'ext::sh -c id',
    'ssh://-oProxyCommand=id/x',
    'ssh://git:secret@git.example.com/app',
    'git@-oProxyCommand=id:x',
    'a@b::c',
    'https://git.example.com/a?token=secret',
    'https://a@b@git.example.com/a',
    'https://git.example.com/a\nx',
  ])('[WS3] %j is not', (url) => {
    expect(publicAddress(url)).toBeNull();
  });
});
