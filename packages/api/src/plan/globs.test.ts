import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globFault, globMatchesPath, isGlobWithin, pathFault } from './globs.ts';

describe('globFault and pathFault', () => {
  it.each(['src/**', '*.md', 'a/*/b', '**', '**/x.ts', 'docs/', 'a?[bc].ts', '.env'])(
    '[PL22] accepts the glob %s',
    (glob) => {
      expect(globFault(glob)).toBeUndefined();
    },
  );

  it.each([
    '',
    ' a',
    '!a',
    '#a',
    'a\\b',
    '/a',
    'C:/a',
    '../a',
    'a/../b',
    'a//b',
    'a**',
    '{a,b}',
    'a[b',
    './a',
  ])('[PL22] refuses the glob %j', (glob) => {
    expect(globFault(glob)).toMatch(/./);
  });

  it.each(['', '/a', '~/a', '../a', 'a/../b', 'a/..', 'C:/a', 'a\\b'])(
    '[PL22] refuses the path %j',
    (path) => {
      expect(pathFault(path)).toMatch(/./);
    },
  );

  it('[PL22] accepts names that only look like a way out', () => {
    expect(['a..b', '...', 'a/.../b', '.'].map(pathFault)).toEqual(Array(4).fill(undefined));
  });
});

describe('isGlobWithin', () => {
  it.each([
    ['src/a.ts', 'src/**'],
    ['src/**', 'src/**'],
    ['src/a/**', 'src/**'],
    ['src/**/x', 'src/**'],
    ['src/*', 'src/**'],
    ['**', '**'],
    ['a', '**'],
    ['docs/*.md', '*.md'],
    ['*.md', '*.md'],
    ['docs/a/b', 'docs'],
    ['src/', 'src/'],
    ['src/a', 'src/'],
    ['src/lib/a.ts', 'src/*'],
    ['a/x/b', 'a/*/b'],
    ['a/b/c/d', '**/c'],
    ['src/test.spec.ts', 'src/*.spec.ts'],
  ])('[PL9] finds %s within %s', (glob, wide) => {
    expect(isGlobWithin(glob, ['other/**', wide])).toBe(true);
  });

  it.each([
    ['src', 'src/**'],
    ['**', 'src/**'],
    ['**/a', 'src/**'],
    ['test/**', 'src/**'],
    ['srcs/a', 'src/**'],
    ['a.ts', 'src/a.ts'],
    ['src/**', 'src/*.ts'],
    ['src/*', 'src/*.ts'],
    ['src', 'src/'],
    ['*/a', 'src/a'],
    ['a/b', 'a/*/b'],
  ])('[PL9] does not find %s within %s', (glob, wide) => {
    expect(isGlobWithin(glob, [wide])).toBe(false);
  });

  it('[PL9] finds nothing within nothing', () => {
    expect(isGlobWithin('a', [])).toBe(false);
  });

  it('[PL9] never finds a glob within another one that misses a path of it', () => {
    const segment = fc.constantFrom('a', 'b', 'ab', '*', '?', 'a*', '**');
    const glob = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const path = fc.array(fc.constantFrom('a', 'b', 'ab', 'c'), { minLength: 1, maxLength: 5 });
    const cases = fc.tuple(
      glob,
      glob,
      path.map((parts) => parts.join('/')),
    );
    fc.assert(
      fc.property(cases, ([inner, outer, one]) => {
        fc.pre(isGlobWithin(inner, [outer]) && globMatchesPath(inner, one));
        expect(globMatchesPath(outer, one)).toBe(true);
      }),
      { seed: 7, numRuns: 1500 },
    );
  });

  it('[PL9] ends on patterns that are made to take long', () => {
    const stars = Array.from({ length: 60 }, () => '**').join('/');
    expect(isGlobWithin(`${'a/'.repeat(80)}b`, [`${stars}/a/c`])).toBe(false);
    expect(isGlobWithin('a'.repeat(5000), [`${'*a'.repeat(500)}b`])).toBe(false);
  });
});
