/** Which view an address shows. Each is loaded when it is first looked at. */
import { lazy } from 'react';
import type { ComponentType, LazyExoticComponent } from 'react';

export type Params = Readonly<Record<string, string>>;
type Component = ComponentType<{ readonly params: Params }>;
type View = LazyExoticComponent<Component>;

function page(load: () => Promise<Component>): View {
  return lazy(async () => ({ default: await load() }));
}

const FEATURES = page(
  async () => (await import('../features/features/features-page.tsx')).FeaturesPage,
);

const PAGES: readonly (readonly [pattern: string, view: View])[] = [
  ['/', FEATURES],
  ['/features', FEATURES],
  [
    '/features/:slug',
    page(async () => (await import('../features/features/feature-page.tsx')).FeaturePage),
  ],
  ['/runs', page(async () => (await import('../features/runs/runs-page.tsx')).RunsPage)],
  ['/audit', page(async () => (await import('../features/audit/audit-page.tsx')).AuditPage)],
  [
    '/insights',
    page(async () => (await import('../features/insights/insights-page.tsx')).InsightsPage),
  ],
  [
    '/adapters',
    page(async () => (await import('../features/adapters/adapters-page.tsx')).AdaptersPage),
  ],
  ['/policy', page(async () => (await import('../features/policy/policy-page.tsx')).PolicyPage)],
  ['/people', page(async () => (await import('../features/people/people-page.tsx')).PeoplePage)],
  ['/runs/:id', page(async () => (await import('../features/run/run-page.tsx')).RunPage)],
  [
    '/approvals',
    page(async () => (await import('../features/approvals/approvals-page.tsx')).ApprovalsPage),
  ],
  [
    '/approvals/:id',
    page(async () => (await import('../features/approvals/approval-page.tsx')).ApprovalPage),
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
    if (segment.startsWith(':')) params[segment.slice(1)] = decoded(value);
    else if (segment !== value) return null;
  }
  return params;
}

/** An address may hold any text. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return segment;
  }
}
