/** The pages as they were built: one HTML file for every address of theirs, and the files it names. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface WebFiles {
  /** `GET` of any page. */
  readonly page: string;
  /** By name, below `/assets/`. */
  readonly files: ReadonlyMap<
    string,
    { readonly bytes: Uint8Array<ArrayBuffer>; readonly type: string }
  >;
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** Of the first of these folders that holds an index.html. They ship with the program: nothing in them is hostile. */
export function readWebFiles(folders: readonly string[]): WebFiles {
  const folder = folders.find((one) => existsSync(join(one, 'index.html')));
  if (folder === undefined) return { page: '', files: new Map() };
  const assets = join(folder, 'assets');
  const names = existsSync(assets) ? readdirSync(assets) : [];
  const files = names.flatMap((name) => {
    const type = TYPES[extname(name)];
    return type === undefined
      ? []
      : [[name, { bytes: new Uint8Array(readFileSync(join(assets, name))), type }] as const];
  });
  return { page: readFileSync(join(folder, 'index.html'), 'utf8'), files: new Map(files) };
}

/** Addresses that the page itself answers for; the first segment of their paths. */
const PAGES: ReadonlySet<string> = new Set([
  ...['features', 'runs', 'approvals', 'plans', 'audit', 'insights'],
  ...['adapters', 'policy', 'people'],
]);

export function isPagePath(path: string): boolean {
  return path === '/' || PAGES.has(path.split('/')[1] ?? '');
}
