import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { assertInvariant } from '@ccdash/core';

/** From the bundle (dist/), from one of its chunks (dist/chunks/), and from the sources (src/base/). */
const PLACES = ['./assets/', '../assets/', '../../assets/'];

/** Where the pages may be: built, or as the sources come. */
export function webFolders(): readonly string[] {
  return ['../../dist/assets/', ...PLACES].map((place) =>
    fileURLToPath(new URL(`${place}web`, import.meta.url)),
  );
}

/** The text of a file that ships with the package. `path` is relative to its assets folder, `/` between segments. */
export function readAsset(path: string): string {
  const file = PLACES.map((place) => fileURLToPath(new URL(place + path, import.meta.url))).find(
    (candidate) => existsSync(candidate),
  );
  assertInvariant(file !== undefined, `the asset ${path} is missing from this installation`);
  return readFileSync(file, 'utf8');
}
