import ignore from 'ignore';
import type { Ignore } from 'ignore';

const matcherByGlobs = new WeakMap<readonly string[], Ignore>();

/** Whether globs written as in `.gitignore` name `path` (relative, `/` between segments). */
export function isPathNamed(globs: readonly string[], path: string): boolean {
  let matcher = matcherByGlobs.get(globs);
  if (matcher === undefined) {
    matcher = ignore({ ignorecase: false }).add([...globs]);
    matcherByGlobs.set(globs, matcher);
  }
  return matcher.ignores(path);
}
