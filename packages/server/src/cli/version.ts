/** The version of this installation. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** From the bundle (dist/), from one of its chunks (dist/chunks/), and from the sources (src/cli/). */
const PLACES = ['../package.json', '../../package.json'];

/** `unknown` where the package has been taken apart. */
export function readVersion(): string {
  const places = PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const file = places.find((place) => existsSync(place));
  if (file === undefined) return 'unknown';
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return version;
}
