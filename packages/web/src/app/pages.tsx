/** Which view an address shows. Each is loaded when it is first looked at. */
import { lazy } from 'react';
import type { ComponentType, LazyExoticComponent } from 'react';

export type Params = Readonly<Record<string, string>>;
type View = LazyExoticComponent<ComponentType<{ readonly params: Params }>>;

const PAGES: readonly (readonly [pattern: string, view: View])[] = [
  ['/', lazy(async () => ({ default: (await import('../features/runs/runs-page.tsx')).RunsPage }))],
  [
    '/runs',
    lazy(async () => ({ default: (await import('../features/runs/runs-page.tsx')).RunsPage })),
  ],
];

export function findPage(path: string): { readonly View: View; readonly params: Params } | null {
  for (const [pattern, View] of PAGES) {
    const params = match(pattern, path);
    if (params !== null) return { View, params };
  }
  return null;
}

/** Segments that begin with a colon take any. */
function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split('/');
  const given = path.replace(/(.)\/$/, '$1').split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    if (segment.startsWith(':')) params[segment.slice(1)] = decodeURIComponent(value);
    else if (segment !== value) return null;
  }
  return params;
}
