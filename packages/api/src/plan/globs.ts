/** Globs as in `.gitignore`, relative to the workspace, and the question whether one lies within others. */

/** What is wrong with `glob`, as the end of a sentence, or undefined. */
export function globFault(glob: string): string | undefined {
  if (glob.trim() === '') return 'is empty';
  if (glob !== glob.trim()) return 'begins or ends with a space';
  if (glob.startsWith('!')) return 'begins with `!`: a scope lists what is meant, not exceptions';
  if (glob.startsWith('#')) return 'begins with `#`, which is a comment in `.gitignore`';
  if (glob.includes('\\')) return 'holds a backslash: write `/` between folders';
  if (glob.startsWith('/') || /^[A-Za-z]:/.test(glob)) {
    return 'is absolute: globs are relative to the workspace';
  }
  if (/[{}]/.test(glob)) return 'holds braces, which `.gitignore` does not know: list each glob';
  const segments = segmentsOf(glob);
  if (segments.includes('..') || segments.includes('.')) return 'holds a `.` or `..` folder';
  if (segments.includes('')) return 'holds two slashes in a row';
  if (segments.some((segment) => segment.toLowerCase() === '.git')) {
    return "names `.git`, which is git's own: steps may commit without it";
  }
  if (segments.some((segment) => segment !== '**' && segment.includes('**'))) {
    return 'holds `**` beside other characters: it stands alone between slashes';
  }
  if (!/^(?:[^[\]]|\[[^[\]]+\])*$/.test(glob)) return 'holds a bracket that is not closed';
  return undefined;
}

/** What is wrong with a path relative to the project, as the end of a sentence, or undefined. */
export function pathFault(path: string): string | undefined {
  if (path.trim() === '') return 'is empty';
  if (path.includes('\\')) return 'holds a backslash: write `/` between folders';
  if (path.startsWith('/') || path.startsWith('~') || /^[A-Za-z]:/.test(path)) {
    return 'is absolute: paths are relative to the project';
  }
  if (path.split('/').includes('..')) return 'leads out of the project by `..`';
  return undefined;
}

/**
 * Whether every path that `glob` matches is matched by one of `widest`. Only says yes when it is sure: a glob that is
 * written very differently from the one it lies in may be refused.
 */
export function isGlobWithin(glob: string, widest: readonly string[]): boolean {
  const inner = anchoredSegments(glob);
  return widest.some((wide) => segmentsWithin(inner, anchoredSegments(wide)));
}

/** Whether `glob` matches the plain path `path`. */
export function globMatchesPath(glob: string, path: string): boolean {
  return segmentsWithin(path.split('/'), anchoredSegments(glob));
}

/** A folder's trailing slash is `**` below it; a name without a slash is meant at every depth. */
function anchoredSegments(glob: string): readonly string[] {
  const segments = segmentsOf(glob);
  const body = glob.endsWith('/') ? [...segments, '**'] : segments;
  return segments.length === 1 && segments[0] !== '**' ? ['**', ...body] : body;
}

function segmentsOf(glob: string): readonly string[] {
  return glob.replace(/\/$/, '').split('/');
}

/**
 * Walks both patterns at once. What an outer pattern has matched includes everything below it, as in `.gitignore`.
 * Work is bounded by the product of the lengths: each pair of places is looked at once.
 */
function segmentsWithin(inner: readonly string[], outer: readonly string[]): boolean {
  const failed = new Set<number>();
  const within = (i: number, o: number): boolean => {
    if (o === outer.length) return true;
    const key = i * (outer.length + 1) + o;
    if (failed.has(key)) return false;
    const outerSegment = outer[o] ?? '';
    const innerSegment = inner[i];
    let holds = false;
    if (outerSegment === '**') {
      holds =
        o === outer.length - 1
          ? innerSegment !== undefined
          : within(i, o + 1) || (innerSegment !== undefined && within(i + 1, o));
    } else if (innerSegment !== undefined && isSegmentWithin(innerSegment, outerSegment)) {
      holds = within(i + 1, o + 1);
    }
    if (!holds) failed.add(key);
    return holds;
  };
  return within(0, 0);
}

function isSegmentWithin(inner: string, outer: string): boolean {
  if (inner === '**') return false;
  if (inner === outer || outer === '*') return true;
  // A wildcard within another one is more than this needs to decide.
  return !/[*?[]/.test(inner) && !outer.includes('[') && wildcardMatches(inner, outer);
}

/** `*` and `?` in one segment, without backtracking more than once a star. */
function wildcardMatches(text: string, pattern: string): boolean {
  let t = 0;
  let p = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      t += 1;
      p += 1;
    } else if (pattern[p] === '*') {
      star = p;
      resume = t;
      p += 1;
    } else if (star >= 0) {
      p = star + 1;
      resume += 1;
      t = resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
