import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { fixedPrefixOf, writeMountsOf } from './write-mounts.ts';

let workspace = '';
let outside = '';
beforeEach(() => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-mounts-')));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  workspace = join(dir, 'work');
  outside = join(dir, 'outside');
  for (const folder of [workspace, outside, join(workspace, '.git')]) mkdirSync(folder);
});

describe('[SB5] a glob opens the folders that all its matches lie in', () => {
  test.each([
    ['src/**', 'src'],
    ['/src/**', 'src'],
    ['src/a/*.ts', 'src/a'],
    ['src/*/b/**', 'src'],
    ['docs/guide.md', 'docs'],
    ['/README.md', ''],
    ['README.md', ''],
    ['src/', ''],
    ['**/x', ''],
    ['**', ''],
    ['src/[ab]/**', 'src'],
    ['src/\\*/**', 'src'],
  ])('%s opens %j', (glob, folder) => {
    expect(fixedPrefixOf(glob).join('/')).toBe(folder);
  });
});

test('[SB5] missing folders are made, and a folder below another one is not listed again', () => {
  expect(
    writeMountsOf(workspace, ['src/**', 'src/deep/**', 'test/unit/**', '!src/gen/**']),
  ).toEqual({
    ok: true,
    value: [join(workspace, 'src'), join(workspace, 'test/unit')],
  });
  expect(existsSync(join(workspace, 'src/deep'))).toBe(true);
});

test('[SB6] a link inside the workspace opens where it leads', () => {
  mkdirSync(join(workspace, 'real'));
  symlinkSync('real', join(workspace, 'alias'));
  expect(writeMountsOf(workspace, ['alias/**'])).toEqual({
    ok: true,
    value: [join(workspace, 'real')],
  });
});

test('[SB6] a prefix that leads out of the workspace, into .git, nowhere or to a file is refused', () => {
  symlinkSync(outside, join(workspace, 'out'));
  symlinkSync('../outside', join(workspace, 'relative'));
  symlinkSync('.git', join(workspace, 'git'));
  symlinkSync('missing', join(workspace, 'nowhere'));
  writeFileSync(join(workspace, 'file'), '');
  const globs = [
    'out/**',
    'relative/x/**',
    '.git/**',
    'git/hooks/**',
    'nowhere/**',
    'file/**',
    '../x/**',
    'a/../../x/**',
  ];
  for (const glob of globs) {
    expect(writeMountsOf(workspace, [glob]), glob).toMatchObject({
      ok: false,
      error: {
        code: 'unsafe_path',
        message: expect.stringContaining(JSON.stringify(glob)) as string,
      },
    });
  }
  expect(existsSync(join(outside, 'x'))).toBe(false);
});
