/**
 * The features of a project, read from its documents; never a truth of its own.
 *
 * 1. Each question looks at every file's stamp again and reads what changed: an answer is never older than its question.
 * 2. What was read is kept in a file, so that a restart reads only what has changed meanwhile. A file that is damaged, or
 *    of another version, is as if it were not there.
 */
import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { DocumentView, FeaturePlan, FeatureSummary, FeatureView } from '@ccdash/api';
import { parsePlan } from '@ccdash/api/plan';
import { err, ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import type { Features } from '../base/features.ts';
import { readProjectText } from '../base/project-files.ts';
import { readDocument } from './documents/document.ts';
import type { DocumentRecord } from './documents/document.ts';
import { DOCUMENT_ROOTS } from './documents/layout.ts';
import { findDocuments } from './documents/scan.ts';
import type { FoundFile } from './documents/scan.ts';
import { isTerminal } from './documents/statuses.ts';
import { phaseKey } from './documents/phase-key.ts';
import { groupDocuments } from './model/feature.ts';
import { planOfFeature } from './model/plan-of-feature.ts';
import type { PlanOptions } from './model/plan-of-feature.ts';

export interface FeatureIndexOptions {
  readonly projectDir: string;
  /** Where what was read is kept. */
  readonly cacheFile: string;
}

interface Kept {
  readonly stamp: string;
  readonly document: DocumentRecord;
}

/** Of the kept file: another one whenever documents are read differently. */
const VERSION = 1;
const MAX_DOCUMENT_BYTES = 1024 * 1024;
/** Read at once before others get a turn. */
const TURN = 20;

export function createFeatureIndex({ projectDir, cacheFile }: FeatureIndexOptions): Features {
  let kept: ReadonlyMap<string, Kept> | null = null;
  let features: readonly FeatureView[] = [];
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    const known = kept ?? (await readKept(cacheFile));
    const files = await findDocuments(projectDir, DOCUMENT_ROOTS);
    const now = new Map<string, Kept>();
    let changed = kept === null || files.length !== known.size;
    let read = 0;
    for (const file of files) {
      const before = known.get(file.path);
      if (before?.stamp === file.stamp) {
        now.set(file.path, before);
        continue;
      }
      changed = true;
      const document = readOne(projectDir, file);
      if (document !== null) now.set(file.path, { stamp: file.stamp, document });
      read += 1;
      if (read % TURN === 0) await turn();
    }
    if (!changed) return;
    kept = now;
    features = groupDocuments([...now.values()].map(({ document }) => document));
    if (read > 0 || now.size !== known.size) await writeKept(cacheFile, now);
  }

  /** Questions that come while it looks wait for a look that began after them. */
  async function fresh(): Promise<void> {
    await looking?.catch(() => undefined);
    looking ??= look().finally(() => (looking = null));
    await looking;
  }

  return {
    list: async () => {
      await fresh();
      const documents = [...(kept?.values() ?? [])].map(({ document }) => document);
      return {
        features: features.map(toSummary),
        broken: documents.filter(({ problem }) => problem !== null).map(toView),
        documents: documents.length,
      };
    },
    find: async (slug) => {
      await fresh();
      return features.find((feature) => feature.slug === slug) ?? null;
    },
    read: async (slug, path) => {
      await fresh();
      const feature = features.find((each) => each.slug === slug);
      const isOwn = feature?.documents.some((document) => document.path === path) === true;
      if (!isOwn) return null;
      const text = readProjectText(projectDir, path, MAX_DOCUMENT_BYTES);
      if (!text.ok) return text;
      return text.value === null
        ? null
        : ok({ path, text: text.value, digest: digestOf(text.value) });
    },
    plan: async (slug, options) => {
      await fresh();
      const feature = features.find((each) => each.slug === slug);
      return feature === undefined ? null : planFrom(projectDir, feature, options);
    },
  };
}

function planFrom(
  projectDir: string,
  feature: FeatureView,
  options: PlanOptions,
): Result<FeaturePlan, Failure> {
  const phase = options.phase === null ? null : phaseKey(options.phase);
  if (phase !== null && !feature.phases.some(({ key }) => key === phase)) {
    const known = feature.phases.map(({ key }) => key).join(', ');
    const message = `${feature.slug} has no phase ${phase}; it has: ${known === '' ? 'none' : known}.`;
    return err({ code: 'no_such_phase', message, hint: 'Name one of them, or none.' });
  }
  const made = planOfFeature(feature, { ...options, phase });
  if (made === null) {
    const message = `Nothing is left to do in ${phase === null ? feature.slug : `phase ${phase} of ${feature.slug}`}.`;
    const hint = `See its phases: ccdash feature show ${feature.slug}`;
    return err({ code: 'nothing_to_plan', message, hint });
  }
  const reading = parsePlan(made.text, { file: 'the plan' });
  if (!reading.ok) {
    const [problem] = reading.problems;
    const message = `The documents of ${feature.slug} make no valid plan: ${problem?.detail ?? ''}`;
    return err({ code: 'plan_invalid', message, hint: 'Plan one phase: --phase KEY' });
  }
  const documents = feature.documents
    .filter(({ kind }) => kind !== 'document' && kind !== 'report')
    .flatMap(({ path }) => {
      const text = readProjectText(projectDir, path, MAX_DOCUMENT_BYTES);
      if (!text.ok || text.value === null) return [];
      return [{ path, digest: digestOf(text.value) }];
    });
  return ok({ text: made.text, warnings: made.warnings, documents });
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** null when it is gone by now. What cannot be read as text is a document with that as its problem. */
function readOne(projectDir: string, { path }: FoundFile): DocumentRecord | null {
  const text = readProjectText(projectDir, path, MAX_DOCUMENT_BYTES);
  if (text.ok) return text.value === null ? null : readDocument(path, text.value);
  const problem = { line: 1, column: 1, detail: text.error.message };
  return { ...readDocument(path, ''), problem };
}

function toSummary(feature: FeatureView): FeatureSummary {
  const { slug, title, status, category, brokenDocuments, recommendation, phases } = feature;
  const tasks = phases.flatMap((phase) => phase.tasks);
  return {
    ...{ slug, title, status, category, brokenDocuments, recommendation },
    phases: {
      total: phases.length,
      finished: phases.filter((phase) => isTerminal(phase.status)).length,
    },
    tasks: {
      total: tasks.length,
      finished: tasks.filter((task) => isTerminal(task.status)).length,
      blocked: tasks.filter((task) => task.status === 'blocked').length,
    },
  };
}

function toView({ path, kind, title, status, problem }: DocumentRecord): DocumentView {
  return { path, kind, title, status, problem };
}

async function readKept(file: string): Promise<ReadonlyMap<string, Kept>> {
  try {
    const read = JSON.parse(await readFile(file, 'utf8')) as {
      readonly version?: number;
      readonly kept?: readonly (readonly [string, Kept])[];
    };
    if (read.version === VERSION && Array.isArray(read.kept)) return new Map(read.kept);
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof Error && 'code' in error))
      throw error;
  }
  return new Map();
}

/** Whole or not at all. Without it the next start takes longer, nothing else: a full disk is no reason to fail. */
async function writeKept(file: string, kept: ReadonlyMap<string, Kept>): Promise<void> {
  try {
    await writeFile(`${file}.new`, JSON.stringify({ version: VERSION, kept: [...kept] }), {
      mode: 0o600,
    });
    await rename(`${file}.new`, file);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
