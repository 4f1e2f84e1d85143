/** What belongs together in the documents of a project: one feature each. */
import type { DependencyView, FeatureView, PhaseView, TaskStatus, TaskView } from '@ccdash/api';
import type { DocumentRecord, PhaseRecord, TaskRecord } from '../documents/document.ts';
import { phaseKey } from '../documents/phase-key.ts';
import { featureStatusOf, isTerminal, taskStatusOf } from '../documents/statuses.ts';
import { recommend } from './recommend.ts';

interface Group {
  readonly slug: string;
  readonly documents: DocumentRecord[];
}

/**
 * The features of these documents, by slug.
 *
 * 1. Each plan is a feature, named for its file; documents in a folder of that name are phases of it.
 * 2. A PRD joins the plan of its name, of a path or slug that one of both names, or of its name without `-vN`; else it is
 *    a feature by itself.
 * 3. A progress folder joins by its name, by what its documents say, or by its name without `-vN`; else it is a feature.
 *    Each file of `quick-features` is a feature.
 * 4. Everything else is attached where its folder, or what it says, names one feature; it never makes one.
 */
export function groupDocuments(documents: readonly DocumentRecord[]): readonly FeatureView[] {
  const groups = new Map<string, Group>();
  const byPath = new Map<string, Group>();
  const bySlugBase = new Map<string, Group | null>();
  const make = (slug: string): Group => {
    const known = groups.get(slug);
    if (known !== undefined) return known;
    const group = { slug, documents: [] };
    groups.set(slug, group);
    const base = baseOf(slug);
    // Two versions: the name without one says nothing.
    bySlugBase.set(base, bySlugBase.has(base) ? null : group);
    return group;
  };
  const put = (group: Group, document: DocumentRecord): void => {
    group.documents.push(document);
    byPath.set(document.path, group);
  };
  const named = (reference: string): Group | undefined => {
    const path = reference.replace(/^\//, '');
    const slug = path
      .slice(path.lastIndexOf('/') + 1)
      .replace(/\.md$/i, '')
      .toLowerCase();
    return byPath.get(path) ?? groups.get(slug);
  };
  const findByName = (document: DocumentRecord): Group | undefined =>
    groups.get(document.slug ?? '') ??
    firstOf(document.belongsTo, named) ??
    bySlugBase.get(baseOf(document.slug ?? '')) ??
    undefined;

  const ofKind = (kind: DocumentRecord['kind']): readonly DocumentRecord[] =>
    documents.filter((document) => document.kind === kind && document.slug !== null);
  const plans = ofKind('plan');
  for (const plan of plans) put(make(plan.slug ?? ''), plan);
  const namedByPlans = new Map<string, Group>();
  for (const plan of plans) {
    const group = byPath.get(plan.path);
    if (group === undefined) continue;
    for (const reference of plan.belongsTo) namedByPlans.set(reference.replace(/^\//, ''), group);
  }
  for (const phase of ofKind('phase')) put(findByName(phase) ?? make(phase.slug ?? ''), phase);
  for (const prd of ofKind('prd')) {
    const own = groups.get(prd.slug ?? '') ?? namedByPlans.get(prd.path) ?? findByName(prd);
    put(own ?? firstOf(prd.related, named) ?? make(prd.slug ?? ''), prd);
  }
  const folders = new Map<string, Group>();
  for (const progress of ofKind('progress')) {
    const folder = progress.category === 'quick' ? progress.path : (progress.slug ?? '');
    const group = folders.get(folder) ?? findByName(progress) ?? make(progress.slug ?? '');
    folders.set(folder, group);
    put(group, progress);
  }
  for (const kind of ['report', 'document'] as const) {
    for (const document of documents.filter((each) => each.kind === kind)) {
      const group = findByName(document) ?? firstOf(document.related, named);
      if (group !== undefined) put(group, document);
    }
  }
  return [...groups.values()]
    .sort((a, b) => (a.slug < b.slug ? -1 : 1))
    .map((group) => toFeature(group));
}

function firstOf<T>(
  items: readonly string[],
  find: (item: string) => T | undefined,
): T | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function baseOf(slug: string): string {
  return slug.replace(/-v\d+(?:\.\d+)*$/, '');
}

function toFeature({ slug, documents }: Group): FeatureView {
  const plan = documents.find((document) => document.kind === 'plan');
  const prd = documents.find((document) => document.kind === 'prd');
  const head = plan ?? prd ?? documents[0];
  const phases = phasesOf(documents);
  const statuses = documents
    .filter(({ kind, phase }) => kind !== 'document' && kind !== 'report' && phase === null)
    .filter(({ kind }) => kind !== 'phase')
    .flatMap(({ status }) => (status === null ? [] : [taskStatusOf(status)]));
  const allDone = phases.length > 0 && phases.every((phase) => isTerminal(phase.status));
  const anyBegun = phases.some(({ status }) => status !== 'pending');
  const status = furthest([
    ...(plan === undefined ? statuses : [taskStatusOf(plan.status)]),
    ...(plan === undefined && allDone ? (['completed'] as const) : []),
    ...(anyBegun ? (['in_progress'] as const) : []),
  ]);
  const feature = {
    slug,
    title: plan?.title ?? prd?.title ?? head?.title ?? slug,
    status: featureStatusOf(status),
    category: plan?.category ?? prd?.category ?? head?.category ?? null,
    brokenDocuments: documents.filter(({ problem }) => problem !== null).length,
    riskLevel: plan?.riskLevel ?? prd?.riskLevel ?? null,
    documents: documents.map(({ path, kind, title, status: raw, problem }) => ({
      ...{ path, kind, title, status: raw, problem },
    })),
    phases,
    blockers: documents.flatMap((document) =>
      document.blockers.map((text) => ({ document: document.path, text })),
    ),
    files: plan?.files ?? [],
    commits: [...new Set(documents.flatMap(({ commits }) => commits))],
  };
  return { ...feature, recommendation: recommend(feature) };
}

const RANK: readonly TaskStatus[] = [
  'pending',
  'blocked',
  'in_progress',
  'review',
  'deferred',
  'completed',
];

function furthest(statuses: readonly TaskStatus[]): TaskStatus {
  return statuses.reduce<TaskStatus>(
    (best, status) => (RANK.indexOf(status) > RANK.indexOf(best) ? status : best),
    'pending',
  );
}

interface Draft {
  readonly key: string;
  readonly planned: PhaseRecord[];
  readonly documents: DocumentRecord[];
}

function phasesOf(documents: readonly DocumentRecord[]): readonly PhaseView[] {
  const drafts = new Map<string, Draft>();
  const draft = (key: string): Draft => {
    const known = drafts.get(key) ?? { key, planned: [], documents: [] };
    drafts.set(key, known);
    return known;
  };
  for (const { kind, phases } of documents) {
    if (kind !== 'plan') continue;
    for (const phase of phases) draft(phase.key).planned.push(phase);
  }
  for (const document of documents) {
    if (document.phase !== null) draft(document.phase).documents.push(document);
    // A quick feature, or a plan in one file: what it lists without a phase is its only one.
    else if (document.tasks.length > 0) draft(WHOLE).documents.push(document);
  }
  const ordered = [...drafts.values()].sort((a, b) => comparePhases(a.key, b.key));
  const tasks = new Map(ordered.map((each) => [each.key, recordsOf(each)]));
  const planOrder = ordered.map(({ key }) => key);
  return ordered.map((each, at) => toPhase(each, at, planOrder, tasks));
}

/** The key of the phase of a feature that has none. */
const WHOLE = 'all';

/** By number, then by name; a feature's only phase comes last beside numbered ones. */
export function comparePhases(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)];
  const [isX, isY] = [!Number.isNaN(x), !Number.isNaN(y)];
  if (isX && isY) return x - y;
  if (isX !== isY) return isX ? -1 : 1;
  return a === b ? 0 : a.localeCompare(b, 'en', { numeric: true });
}

type Written = TaskRecord & { readonly document: string };

/** Progress documents know best; then documents of the phase; then the tables of the plan. */
function recordsOf({ planned, documents }: Draft): readonly Written[] {
  const found = new Map<string, Written>();
  const inOrder = [...documents].sort(
    (a, b) => Number(b.kind === 'progress') - Number(a.kind === 'progress'),
  );
  for (const document of inOrder) {
    const listed = [
      ...document.tasks,
      ...(document.kind === 'phase' ? document.phases.flatMap(({ tasks }) => tasks) : []),
    ];
    for (const task of listed) {
      if (!found.has(task.id)) found.set(task.id, { ...task, document: document.path });
    }
  }
  if (found.size > 0) return [...found.values()];
  return planned.flatMap(({ tasks }) => tasks).map((task) => ({ ...task, document: '' }));
}

function toPhase(
  { key, planned, documents }: Draft,
  at: number,
  order: readonly string[],
  tasks: ReadonlyMap<string, readonly Written[]>,
): PhaseView {
  const own = tasks.get(key) ?? [];
  const views = own.map((task) => toTask(task, key, order, tasks));
  const stated = planned.find(({ dependsOn }) => dependsOn !== null)?.dependsOn;
  const before = order[at - 1];
  const progress = documents.filter(({ kind }) => kind === 'progress');
  return {
    key,
    title: planned[0]?.title ?? documents[0]?.title ?? null,
    status: statusOfPhase(progress.length > 0 ? progress : documents, views),
    dependsOn:
      stated?.filter((each) => order.includes(each)) ?? (before === undefined ? [] : [before]),
    documents: documents.map(({ path }) => path),
    tasks: views,
    files: unique([
      ...planned.flatMap(({ files }) => files),
      ...documents.flatMap(({ files }) => files),
    ]),
    exitCriteria: unique([
      ...planned.flatMap(({ exitCriteria }) => exitCriteria),
      ...documents.flatMap(({ exitCriteria }) => exitCriteria),
    ]),
    validationCommands: unique(documents.flatMap(({ validationCommands }) => validationCommands)),
    gates: unique(planned.flatMap(({ gates }) => gates)),
    blockers: unique(documents.flatMap(({ blockers }) => blockers)),
  };
}

/** What the documents say; where they say nothing, what the tasks do. */
function statusOfPhase(
  documents: readonly DocumentRecord[],
  tasks: readonly TaskView[],
): TaskStatus {
  const stated = documents.flatMap(({ status }) => (status === null ? [] : [taskStatusOf(status)]));
  if (stated.length > 0) {
    const open = stated.filter((status) => !isTerminal(status));
    return open.length === 0 ? furthest(stated) : furthest(open);
  }
  if (tasks.length > 0 && tasks.every(({ status }) => isTerminal(status))) return 'completed';
  return tasks.some(({ status }) => status !== 'pending') ? 'in_progress' : 'pending';
}

function toTask(
  task: Written,
  phase: string,
  order: readonly string[],
  tasks: ReadonlyMap<string, readonly Written[]>,
): TaskView {
  const resolve = (id: string): DependencyView => {
    const has = (key: string): boolean => tasks.get(key)?.some((each) => each.id === id) === true;
    if (has(phase)) return { id, kind: 'task', phase };
    const others = order.filter((key) => key !== phase && has(key));
    const earlier = others.filter((key) => order.indexOf(key) < order.indexOf(phase));
    const found = earlier.at(-1) ?? others[0];
    if (found !== undefined) return { id, kind: 'task', phase: found };
    const key = phaseKey(id);
    if (/^(?:phase|p)/i.test(id) && order.includes(key)) return { id, kind: 'phase', phase: key };
    return { id, kind: 'external', phase: null };
  };
  const { id, title, status, batch, files, acceptance, assignedTo, note, document } = task;
  const dependsOn = task.dependsOn.filter((each) => each !== id).map(resolve);
  return { id, title, status, dependsOn, batch, files, acceptance, assignedTo, note, document };
}

function unique(items: readonly string[]): readonly string[] {
  return [...new Set(items)];
}
