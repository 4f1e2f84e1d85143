/** A document as features are made of it: what its place, frontmatter and headings say, under one name each. */
import type { TaskStatus } from '@ccdash/api';
import { isList, isValueMap, readFrontmatter } from './frontmatter.ts';
import type { DocumentProblem, Value, ValueMap } from './frontmatter.ts';
import { placeOf } from './layout.ts';
import type { DocumentKind } from './layout.ts';
import { readOutline } from './outline.ts';
import { phaseKey } from './phase-key.ts';
import { taskStatusOf } from './statuses.ts';

export interface TaskRecord {
  readonly id: string;
  readonly title: string;
  readonly status: TaskStatus;
  /** As it is written. */
  readonly rawStatus: string | null;
  readonly dependsOn: readonly string[];
  readonly files: readonly string[];
  readonly acceptance: readonly string[];
  readonly assignedTo: readonly string[];
  readonly batch: string | null;
  readonly note: string | null;
  readonly sessions: readonly string[];
}

/** A phase as a plan or a document of its own names it. */
export interface PhaseRecord {
  readonly key: string;
  readonly title: string | null;
  readonly dependsOn: readonly string[] | null;
  readonly files: readonly string[];
  readonly exitCriteria: readonly string[];
  readonly gates: readonly string[];
  readonly tasks: readonly TaskRecord[];
}

export interface DocumentRecord {
  readonly path: string;
  readonly kind: DocumentKind;
  readonly slug: string | null;
  readonly category: string | null;
  readonly title: string | null;
  readonly status: string | null;
  readonly problem: DocumentProblem | null;
  /** Of the phase that it is about; null when it is about the whole feature. */
  readonly phase: string | null;
  /** Slugs and paths of what it says it belongs to. */
  readonly belongsTo: readonly string[];
  readonly related: readonly string[];
  readonly tasks: readonly TaskRecord[];
  readonly phases: readonly PhaseRecord[];
  readonly files: readonly string[];
  readonly exitCriteria: readonly string[];
  readonly validationCommands: readonly string[];
  readonly blockers: readonly string[];
  readonly riskLevel: string | null;
  readonly commits: readonly string[];
  readonly sessions: readonly string[];
}

/** Of anything that is listed. A hostile document holds more. */
const MAX_ITEMS = 2000;
const MAX_TEXT = 20_000;

export function readDocument(path: string, text: string): DocumentRecord {
  const { values, problem, body } = readFrontmatter(text);
  const place = placeOf(path);
  const outline = readOutline(body);
  const kind = kindOf(place.kind, text1(values, 'doc_type', 'type'));
  const wave = isValueMap(values['wave_plan']) ? values['wave_plan'] : null;
  const validation = values['validation'];
  const phase = text1(values, 'phase');
  return {
    path,
    kind,
    slug: place.slug,
    category: place.category,
    title: text1(values, 'title', 'phase_title') ?? outline.title,
    status: text1(values, 'status'),
    problem,
    phase:
      kind === 'progress' || kind === 'phase'
        ? phase === null
          ? phaseOfName(path)
          : phaseKey(phase)
        : null,
    belongsTo: texts(
      values,
      'feature_slug',
      'prd',
      'prd_ref',
      'plan_ref',
      'implementation_plan_ref',
    ),
    related: texts(values, 'related', 'related_documents', 'references', 'linked_features'),
    tasks: withBatches(tasksOf(values['tasks']), values['parallelization']),
    phases: wave === null ? outline.phases : wavePhases(wave, outline.phases),
    files: texts(values, 'files_affected', 'files_modified'),
    exitCriteria: texts(values, 'exit_criteria', 'success_criteria', 'definition_of_done'),
    validationCommands: [
      ...commandsOf(values['validation_commands']),
      ...(isValueMap(validation) ? commandsOf(validation['required']) : []),
    ],
    blockers: describeAll(values['blockers']),
    riskLevel: text1(values, 'risk_level', 'risk'),
    commits: texts(values, 'commit_refs', 'commits'),
    sessions: texts(values, 'session_id', 'linked_sessions', 'sessions'),
  };
}

function phaseOfName(path: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const found = /^phase[-_]([\w.]+?)(?:[-_]|\.md$)/i.exec(name)?.[1];
  return found === undefined ? null : phaseKey(found);
}

const KINDS: Readonly<Record<string, DocumentKind>> = {
  prd: 'prd',
  implementation_plan: 'plan',
  phase_plan: 'phase',
  progress: 'progress',
  report: 'report',
};

/** The place counts; a document that lies elsewhere may say what it is. */
function kindOf(placed: DocumentKind, stated: string | null): DocumentKind {
  if (placed !== 'document') return placed;
  const kind = KINDS[stated ?? ''] ?? 'document';
  return kind === 'report' ? kind : 'document';
}

function tasksOf(value: Value | undefined): readonly TaskRecord[] {
  if (!isList(value)) return [];
  return value.slice(0, MAX_ITEMS).flatMap((item) => {
    if (!isValueMap(item)) return [];
    const id = text1(item, 'id', 'task_id');
    if (id === null) return [];
    const rawStatus = text1(item, 'status');
    return [
      {
        id,
        title: text1(item, 'title', 'name', 'subject', 'description') ?? id,
        status: taskStatusOf(rawStatus),
        rawStatus,
        dependsOn: texts(item, 'dependencies', 'depends_on', 'blocked_by'),
        files: texts(item, 'files', 'files_affected'),
        acceptance: texts(item, 'acceptance_criteria', 'validation'),
        assignedTo: texts(item, 'assigned_to'),
        batch: text1(item, 'batch'),
        note: text1(item, 'notes', 'note'),
        sessions: texts(item, 'session_id', 'sessions'),
      },
    ];
  });
}

/** `batch_N` lists its tasks, or is an object that does. */
function withBatches(
  tasks: readonly TaskRecord[],
  parallelization: Value | undefined,
): readonly TaskRecord[] {
  if (!isValueMap(parallelization)) return tasks;
  const batchOf = new Map<string, string>();
  for (const [key, value] of Object.entries(parallelization)) {
    const batch = /^batch[-_ ]?(\d+)$/i.exec(key)?.[1];
    if (batch === undefined) continue;
    const ids = isValueMap(value) ? texts(value, 'tasks', 'task_ids', 'items') : listOf(value);
    for (const id of ids) if (!batchOf.has(id)) batchOf.set(id, batch);
  }
  return tasks.map((task) => ({ ...task, batch: batchOf.get(task.id) ?? task.batch }));
}

function wavePhases(wave: ValueMap, outlined: readonly PhaseRecord[]): readonly PhaseRecord[] {
  const phases = isList(wave['phases']) ? wave['phases'] : [];
  return phases.slice(0, MAX_ITEMS).flatMap((item) => {
    const id = isValueMap(item) ? text1(item, 'id', 'phase') : null;
    if (!isValueMap(item) || id === null) return [];
    const key = phaseKey(id);
    const heading = outlined.find((phase) => phase.key === key);
    return [
      {
        key,
        title: text1(item, 'title', 'name') ?? heading?.title ?? null,
        dependsOn: texts(item, 'depends_on', 'dependencies').map(phaseKey),
        files: texts(item, 'files_affected'),
        exitCriteria: texts(item, 'exit_criteria'),
        gates: texts(item, 'gate_lens'),
        tasks: heading?.tasks ?? [],
      },
    ];
  });
}

function commandsOf(value: Value | undefined): readonly string[] {
  if (!isList(value)) return listOf(value);
  return value.flatMap((item) => (isValueMap(item) ? texts(item, 'command') : listOf(item)));
}

/** Each item as one text, whatever its fields are called. */
function describeAll(value: Value | undefined): readonly string[] {
  const items = isList(value) ? value : value === undefined ? [] : [value];
  return items.slice(0, MAX_ITEMS).flatMap((item) => {
    if (!isValueMap(item)) return listOf(item);
    if (/^(?:resolved|closed|done|completed)$/i.test(text1(item, 'status') ?? '')) return [];
    const text = text1(item, 'description', 'title', 'name', 'reason', 'id');
    return text === null ? [] : [text];
  });
}

/** The first of these fields that holds text. */
function text1(map: ValueMap, ...names: readonly string[]): string | null {
  for (const name of names) {
    const [first] = listOf(map[name]);
    if (first !== undefined) return first;
  }
  return null;
}

/** The texts of all these fields, each once. */
function texts(map: ValueMap, ...names: readonly string[]): readonly string[] {
  return [...new Set(names.flatMap((name) => listOf(map[name])))];
}

function listOf(value: Value | undefined): readonly string[] {
  if (value === null || value === undefined) return [];
  if (typeof value === 'string') {
    const text = value.trim().slice(0, MAX_TEXT);
    return text === '' || text.toLowerCase() === 'none' ? [] : [text];
  }
  if (!isList(value)) return [];
  return value.slice(0, MAX_ITEMS).flatMap((item) => {
    if (isValueMap(item)) {
      const text = text1(item, 'id', 'path', 'file', 'description', 'text', 'title', 'name');
      return text === null ? [] : [text];
    }
    return isList(item) ? [] : listOf(item);
  });
}
