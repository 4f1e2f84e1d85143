import { describe, expect, test } from 'vitest';
import { createFactReader, scriptOf } from './codex-facts.ts';

describe('what the shell is given', () => {
  test.each([
    [`/bin/bash -lc 'npm test'`, 'npm test'],
    [`bash -lc ls`, 'ls'],
    [`/bin/bash -lc "cat '/etc/hostname'"`, `cat '/etc/hostname'`],
    [`/bin/bash -lc 'echo '\\''a b'\\'' && id'`, `echo 'a b' && id`],
    [`/usr/bin/zsh -c "echo \\"\\$HOME\\""`, `echo "$HOME"`],
    // Where it is not plain, people see all of it.
    [`/bin/bash -lc "echo $(id)"`, `/bin/bash -lc "echo $(id)"`],
    [`/bin/bash -lc 'one' two`, `/bin/bash -lc 'one' two`],
    [`/bin/bash -lc 'open`, `/bin/bash -lc 'open`],
    [`python3 -c 'x'`, `python3 -c 'x'`],
  ])('[AG34] of %s is %s', (command, expected) => {
    expect(scriptOf(command)).toBe(expected);
  });
});

describe('a patch', () => {
  test('[AG34] is one call for each file, and a file that is moved is written at its new place', () => {
    const facts = createFactReader({ workspace: '/w', isStopped: () => false });
    const item = {
      type: 'fileChange',
      id: 'c1',
      status: 'declined',
      changes: [
        { path: '/w/a.txt', kind: { type: 'add' }, diff: 'A\n' },
        { path: '/w/b.txt', kind: { type: 'update', move_path: '/elsewhere/b.txt' }, diff: '@@' },
        { path: '/w/c.txt', kind: { type: 'delete' }, diff: '' },
      ],
    };
    const titles = facts
      .started(item)
      .map((fact) => (fact.type === 'tool-started' ? [fact.callId, fact.title] : []));
    expect(titles).toEqual([
      ['c1', 'Write a.txt'],
      ['c1.1', 'Edit b.txt'],
      ['c1.2', 'Write /elsewhere/b.txt'],
      ['c1.3', 'Edit c.txt'],
    ]);
    expect(facts.completed(item).map((fact) => 'status' in fact && fact.status)).toEqual(
      Array.from({ length: 4 }, () => 'denied'),
    );
    expect(facts.rest()).toEqual([]);
  });
});
