/**
 * Paths as bytes. A file name on Linux is bytes, not text, and a tree that is to be given back byte for byte must keep
 * the names that are no UTF-8 as well. A byte path is a string with one character (0 to 255) for each byte; it sorts as git does.
 */

export type BytePath = string;

/** A path of Node's (UTF-8) as bytes. */
export function textToBytes(path: string): BytePath {
  return Buffer.from(path, 'utf8').toString('latin1');
}

/** For people, and for the port; bytes that are no UTF-8 become U+FFFD. */
export function bytesToText(path: BytePath): string {
  return isAscii(path) ? path : Buffer.from(path, 'latin1').toString('utf8');
}

/** As a file system call takes it. */
export function bytesToFile(path: BytePath): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, 'latin1');
}

// The control characters are meant: everything below 128.
// eslint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

function isAscii(path: string): boolean {
  return ASCII.test(path);
}

/** Whether one of `sorted` lies in `folder` (which ends without a slash). */
export function holdsPathIn(sorted: readonly BytePath[], folder: BytePath): boolean {
  const prefix = `${folder}/`;
  return sorted[firstAtOrAfter(sorted, prefix)]?.startsWith(prefix) ?? false;
}

/** Whether `path` is one of `sorted`. */
export function holdsPath(sorted: readonly BytePath[], path: BytePath): boolean {
  return sorted[firstAtOrAfter(sorted, path)] === path;
}

function firstAtOrAfter(sorted: readonly BytePath[], path: BytePath): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? '') < path) low = middle + 1;
    else high = middle;
  }
  return low;
}
