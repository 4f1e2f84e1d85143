import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { kindOfProjectEntry, listProjectFolder, readProjectText } from './project-files.ts';

let project = '';

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'ccdash-files-'));
  mkdirSync(join(project, 'a/b'), { recursive: true });
  writeFileSync(join(project, 'a/b/text'), 'é\n');
  writeFileSync(join(project, 'a/b/bytes'), Buffer.of(0x61, 0xff));
  execFileSync('mkfifo', [join(project, 'a/pipe')]);
  symlinkSync('b/text', join(project, 'a/link'));
  symlinkSync('b', join(project, 'a/folder-link'));
});

afterEach(() => {
  rmSync(project, { recursive: true });
});

test('an entry is told by its kind, and a link is never followed', () => {
  const kinds = ['a', 'a/b/text', 'a/link', 'a/pipe', 'none', 'a/b/text/below'].map((path) =>
    kindOfProjectEntry(project, path),
  );
  expect(kinds.map((kind) => (kind.ok ? kind.value : kind.error.code))).toEqual([
    'folder',
    'file',
    'link',
    'other',
    'absent',
    'unreadable',
  ]);
});

test('a folder is listed in order, is null when absent, and refused when anything on the way is no folder', () => {
  expect(listProjectFolder(project, 'a/b')).toEqual({ ok: true, value: ['bytes', 'text'] });
  expect(listProjectFolder(project, 'a/none/b')).toEqual({ ok: true, value: null });
  for (const path of ['a/folder-link', 'a/link', 'a/b/text/c', 'a/pipe']) {
    expect(listProjectFolder(project, path)).toMatchObject({
      ok: false,
      error: { code: 'not_a_folder' },
    });
  }
});

test('a file is read whole up to its limit, and a pipe, a link, other bytes or more of them are refused', () => {
  expect(readProjectText(project, 'a/b/text', 3)).toEqual({ ok: true, value: 'é\n' });
  expect(readProjectText(project, 'a/none/text', 3)).toEqual({ ok: true, value: null });
  expect(readProjectText(project, 'none', 3)).toEqual({ ok: true, value: null });
  const refusals = [
    ['a/b/text', 2, 'too_large'],
    ['a/b/bytes', 9, 'not_text'],
    ['a/pipe', 9, 'not_a_file'],
    ['a/link', 9, 'not_a_file'],
    ['a/b', 9, 'not_a_file'],
    ['a/folder-link/text', 9, 'not_a_folder'],
    ['x'.repeat(300), 9, 'unreadable'],
  ] as const;
  for (const [path, maxBytes, code] of refusals) {
    const read = readProjectText(project, path, maxBytes);
    expect(read, path).toMatchObject({ ok: false, error: { code } });
    expect(read.ok ? null : read.error.hint).not.toBeNull();
  }
});

// Files of the Linux kernel say that they are empty.
test.runIf(process.platform === 'linux')(
  'a file that grows while it is read is held to its limit',
  () => {
    expect(readProjectText(`/proc/${process.pid}`, 'status', 64)).toMatchObject({
      ok: false,
      error: { code: 'too_large' },
    });
  },
);
