import { describe, expect, test } from 'vitest';
import { isPathNamed } from './path-globs.ts';

describe('globs', () => {
  test.each([
    [['src/**'], 'src/a/b.ts', true],
    [['src/**'], 'other/src/a.ts', false],
    [['*.md'], 'docs/deep/a.md', true],
    [['/*.md'], 'docs/a.md', false],
    [['docs/'], 'docs/a.txt', true],
    [['**'], '.hidden/file', true],
    [[], 'a.txt', false],
    [['a b/*.txt'], 'a b/c.txt', true],
    [['SRC/**'], 'src/a.ts', false],
  ])('[EN18] %j name %s: %s', (globs, path, named) => {
    expect(isPathNamed(globs, path)).toBe(named);
  });

  test('[EN18] that are equal, but not the same list, are looked at on their own', () => {
    expect(isPathNamed(['a'], 'a')).toBe(true);
    expect(isPathNamed(['b'], 'a')).toBe(false);
    const globs = ['b'];
    expect([isPathNamed(globs, 'a'), isPathNamed(globs, 'b')]).toEqual([false, true]);
  });
});
