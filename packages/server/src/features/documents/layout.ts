/** Where a project keeps its documents, and what the place of a file says about it. */

export type DocumentKind = 'prd' | 'plan' | 'phase' | 'progress' | 'report' | 'document';

export interface Placed {
  readonly kind: DocumentKind;
  /** Of the feature, as the place tells it; null where it does not. */
  readonly slug: string | null;
  readonly category: string | null;
}

/** Folders that are searched, relative to the project. */
export const DOCUMENT_ROOTS: readonly string[] = ['docs', '.claude'];

const PRD = /^docs\/project_plans\/PRDs\/(?:([^/]+)\/)?([^/]+)\.md$/i;
const PLAN = /^docs\/project_plans\/implementation_plans\/(?:([^/]+)\/)?([^/]+)\.md$/i;
const PHASE = /^docs\/project_plans\/implementation_plans\/([^/]+)\/([^/]+)\/.+\.md$/i;
const QUICK = /^\.claude\/progress\/quick-features\/([^/]+)\.md$/i;
const PROGRESS = /^\.claude\/progress\/([^/]+)\/.+\.md$/i;
const REPORT = /^docs\/project_plans\/reports\/(?:[^/]+\/)*([^/]+)\.md$/i;
const NOTES = /^\.claude\/(?:worknotes|findings)\/([^/]+?)(?:\/.+)?(?:\.md)?$/i;
/** Overviews of a folder, no feature of their own. */
const OVERVIEW = /^(?:readme|index|.*summary.*)$/i;

export function placeOf(path: string): Placed {
  const prd = PRD.exec(path);
  if (prd !== null && !isOverview(prd[2])) return placed('prd', prd[2], prd[1]);
  const plan = PLAN.exec(path);
  if (plan !== null && !isOverview(plan[2])) return placed('plan', plan[2], plan[1]);
  const phase = PHASE.exec(path);
  if (phase !== null) return placed('phase', phase[2], phase[1]);
  const quick = QUICK.exec(path);
  if (quick !== null) return isOverview(quick[1]) ? NOWHERE : placed('progress', quick[1], 'quick');
  const progress = PROGRESS.exec(path);
  if (progress !== null) return placed('progress', progress[1], undefined);
  const report = REPORT.exec(path);
  if (report !== null) return placed('report', report[1], undefined);
  const notes = NOTES.exec(path);
  return notes === null ? NOWHERE : placed('document', notes[1], undefined);
}

const NOWHERE: Placed = { kind: 'document', slug: null, category: null };

function isOverview(stem: string | undefined): boolean {
  return OVERVIEW.test(stem ?? '');
}

function placed(
  kind: DocumentKind,
  slug: string | undefined,
  category: string | undefined,
): Placed {
  return { kind, slug: slug?.toLowerCase() ?? null, category: category ?? null };
}
