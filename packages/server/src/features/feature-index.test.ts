import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FeatureView } from '@ccdash/api';
import { writeFeatureDocuments } from '../../test/feature-documents.ts';
import type { Features } from '../base/features.ts';
import { createFeatureIndex } from './feature-index.ts';

let project = '';
let features: Features;
const PLAN = 'docs/project_plans/implementation_plans/features/limits-v1.md';

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'ccdash-features-'));
  features = open();
});

afterEach(() => {
  rmSync(project, { recursive: true });
});

test('[FC6] what belongs to one feature is joined by name, reference and version', async () => {
  put(PLAN, '---\nprd_ref: /docs/project_plans/PRDs/f/rate.md\n---\n');
  put('docs/project_plans/PRDs/f/rate.md', '# Rates');
  put(
    'docs/project_plans/implementation_plans/features/limits-v1/phase-1.md',
    '---\nphase: 1\n---\n',
  );
  put('.claude/progress/limits/phase-1-progress.md', '---\nstatus: active\n---\n');
  put('.claude/worknotes/limits-v1/context.md', 'Notes');
  put('docs/elsewhere.md', '---\nfeature_slug: limits-v1\n---\n');
  put('.claude/progress/quick-features/one.md', '# One');
  put('.claude/progress/quick-features/two.md', '# Two');
  put('.claude/progress/quick-features/README.md', '# All');
  const { features: found } = await features.list();
  expect(found.map(({ slug }) => slug)).toEqual(['limits-v1', 'one', 'two']);
  const limits = await find('limits-v1');
  expect(limits.documents.map(({ kind }) => kind).sort()).toEqual([
    ...['document', 'document', 'phase', 'plan', 'prd', 'progress'],
  ]);
  expect(limits.phases).toMatchObject([{ key: '1', status: 'in_progress' }]);
});

test('[FC7] dependencies are found in the phase, in other phases, as phases, or are external', async () => {
  put(PLAN, '## Phase 1: A\n## Phase 2: B\n');
  putPhase(1, 'completed', '- { id: T1, status: done }');
  putPhase(2, 'pending', '- { id: T2 }\n  - { id: T3, depends_on: [T2, T1, P1, P1-complete, T3] }');
  const limits = await find('limits-v1');
  expect(limits.phases[1]?.tasks[1]?.dependsOn).toEqual([
    { id: 'T2', kind: 'task', phase: '2' },
    { id: 'T1', kind: 'task', phase: '1' },
    { id: 'P1', kind: 'phase', phase: '1' },
    { id: 'P1-complete', kind: 'external', phase: null },
  ]);
});

test('[FC8] links are not followed, and what is no small text is broken, not gone', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'ccdash-outside-'));
  writeFileSync(join(outside, 'secret.md'), '# Secret');
  put('docs/project_plans/PRDs/f/limits.md', Buffer.from([0x23, 0xff, 0xfe]));
  put('docs/project_plans/PRDs/f/large.md', 'x'.repeat(2 * 1024 * 1024));
  symlinkSync(join(outside, 'secret.md'), join(project, 'docs/project_plans/PRDs/f/linked.md'));
  symlinkSync(outside, join(project, 'docs/project_plans/PRDs/g'));
  symlinkSync(outside, join(project, '.claude'));
  const list = await features.list();
  expect(list.features.map(({ slug }) => slug)).toEqual(['large', 'limits']);
  expect(list.broken.map(({ problem }) => problem?.detail)).toEqual([
    expect.stringContaining('larger than'),
    expect.stringContaining('not UTF-8'),
  ]);
  rmSync(outside, { recursive: true });
});

test('[FC9] a change, a new document and a removed one show in the next answer, also after a restart', async () => {
  put(PLAN, '---\nstatus: draft\n---\n');
  expect((await find('limits-v1')).status).toBe('backlog');
  put(PLAN, '---\nstatus: review\n---\n');
  expect((await find('limits-v1')).status).toBe('review');
  features = open();
  expect((await find('limits-v1')).status).toBe('review');
  put('docs/project_plans/PRDs/new.md', '# New');
  rmSync(join(project, PLAN));
  expect((await features.list()).features.map(({ slug }) => slug)).toEqual(['new']);
});

test.each(['', '{', '{"version":0,"kept":[]}', '{"version":1,"kept":7}'])(
  '[FC10] an index that holds %j is as if there were none',
  async (text) => {
    put(PLAN, '# Limits');
    writeFileSync(join(project, 'features.json'), text);
    expect((await features.list()).features).toHaveLength(1);
    expect(readFileSync(join(project, 'features.json'), 'utf8')).toContain('limits-v1');
  },
);

test('[FC11] 2,000 irregular documents give what they were made of', async () => {
  const made = writeFeatureDocuments(project, 2000, 7);
  const list = await features.list();
  const found = await Promise.all(list.features.map(({ slug }) => find(slug)));
  const documents = found.flatMap((feature) => feature.documents);
  const tasks = found.flatMap((feature) =>
    feature.phases.flatMap((phase) => phase.tasks.map((task) => ({ ...task, phase: phase.key }))),
  );
  const count = (kind: string): number => documents.filter((each) => each.kind === kind).length;
  const links = tasks.flatMap((task) =>
    task.dependsOn.map(({ kind, phase }) =>
      kind === 'task' ? (phase === task.phase ? 'same' : 'cross') : kind,
    ),
  );
  expect({
    documents: list.documents,
    features: list.features.length,
    prds: count('prd'),
    plans: count('plan'),
    progress: count('progress'),
    tasks: tasks.length,
    sameFile: links.filter((kind) => kind === 'same').length,
    crossPhase: links.filter((kind) => kind === 'cross').length,
    external: links.filter((kind) => kind === 'external').length,
    broken: list.broken.length,
  }).toEqual(made);
});

test.each([
  ['R1_PLAN_FEATURE', null, () => put('docs/project_plans/PRDs/f/limits-v1.md', '# Limits')],
  ['R2_START_PHASE_1', '1', () => phases('pending', 'pending')],
  ['R2_START_PHASE_1', null, () => put(PLAN, '# Without phases')],
  ['R3_NEXT_PHASE', '2', () => phases('completed', 'pending', 'pending')],
  ['R3_NEXT_PHASE', '3', () => phases('completed', 'deferred', 'in_progress')],
  ['R4_RESUME_PHASE', '1', () => phases('in_progress', 'completed')],
  ['R4_RESUME_PHASE', '1', () => phases('review', 'completed')],
  ['R5_CLOSE_FEATURE', null, () => phases('completed', 'completed')],
  ['R6_UNCLEAR', null, () => phases('pending', 'completed')],
  ['R6_UNCLEAR', null, () => put('.claude/progress/limits-v1/notes.md', 'Nothing')],
  [
    'R0_NOTHING_LEFT',
    null,
    () => {
      phases('completed');
      put(PLAN, '---\nstatus: completed\n---\n## Phase 1: A\n');
    },
  ],
])('[FC20] %s, phase %s', async (rule, phase, prepare) => {
  prepare();
  const { recommendation } = await find('limits-v1');
  expect(recommendation).toMatchObject({ rule, phase });
  expect(recommendation.evidence.length).toBeGreaterThan(0);
  features = open();
  expect((await find('limits-v1')).recommendation).toEqual(recommendation);
});

function open(): Features {
  return createFeatureIndex({ projectDir: project, cacheFile: join(project, 'features.json') });
}

async function find(slug: string): Promise<FeatureView> {
  const feature = await features.find(slug);
  if (feature === null) throw new Error(`no feature ${slug}`);
  return feature;
}

function phases(...statuses: readonly string[]): void {
  put(
    PLAN,
    `---\nstatus: approved\n---\n${statuses.map((_, at) => `## Phase ${at + 1}: X\n`).join('')}`,
  );
  for (const [at, status] of statuses.entries()) putPhase(at + 1, status, '- { id: T }');
}

function putPhase(phase: number, status: string, tasks: string): void {
  const text = `---\nphase: ${phase}\nstatus: ${status}\ntasks:\n  ${tasks}\n---\n`;
  put(`.claude/progress/limits-v1/phase-${phase}-progress.md`, text);
}

function put(path: string, text: string | Buffer): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), text);
}
