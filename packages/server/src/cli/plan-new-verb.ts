/** `ccdash plan new`: a plan file made of a feature's documents, and what has changed in them since the last one. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import type { FeaturePlan } from '@ccdash/api/client';
import { listProjectFolder } from '../base/project-files.ts';
import { isErrno } from '../base/process-identity.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { EXIT, cliRefusal, failureToRefusal, problemToRefusal, refuse } from './refusals.ts';

export interface NewPlanOptions {
  readonly feature: string;
  readonly phase: string | null;
  readonly agent: string;
  readonly out: string | null;
  readonly isForced: boolean;
}

export async function newPlan(context: Context, options: NewPlanOptions): Promise<number> {
  const { feature, phase, agent, out, isForced } = options;
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const made = await connection.value.client.planFeature(feature, phase, agent);
  if (!made.ok) return refuse(context, problemToRefusal(made.error));
  const text = withOrigin(made.value);
  if (out === '-') {
    context.writeRaw(text);
    return EXIT.done;
  }
  const name = `${feature}${phase === null ? '' : `-phase-${phase.replace(/\W+/g, '-')}`}`;
  const file =
    out === null
      ? resolve(connection.value.project.dir, PLANS, `${name}.yaml`)
      : resolve(context.cwd, out);
  // The folder comes with the repository: a link there must not lead the file elsewhere.
  const folder = out === null ? listProjectFolder(connection.value.project.dir, PLANS) : null;
  if (folder?.ok === false) return refuse(context, failureToRefusal(folder.error));
  const before = readText(file);
  const shown = shownPath(context, file);
  if (before !== null && !isForced && !isUntouched(before)) {
    const detail = `${shown} was edited since it was made, or is no plan of this kind.`;
    const hint = 'Write another file with --out, or give up the edits with --force.';
    return refuse(context, cliRefusal('NotAgreed', detail, hint));
  }
  const changes = before === null ? null : changesSince(before, text);
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, before === null ? { flag: 'wx' } : {});
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const hint = 'Give another --out.';
    const detail = `${shown} cannot be written (${String(error.code)}).`;
    return refuse(context, cliRefusal('FileUnusable', detail, hint));
  }
  const { warnings } = made.value;
  if (context.isJson) {
    context.writeJson({ file, warnings, changes });
    return EXIT.done;
  }
  for (const warning of warnings) context.say({ text: 'note', style: 'wait' }, `  ${warning}`);
  for (const { what, name: changed } of changes ?? []) context.say(`${what.padEnd(17)}${changed}`);
  if (changes?.length === 0) context.say('Nothing has changed in the documents.');
  context.say({ text: 'written', style: 'good' }, `  ${shown}`);
  context.say(`Try it: ccdash run ${shown} --dry-run`);
  return EXIT.done;
}

const PLANS = '.ccdash/plans';
const HEAD = '# Made by `ccdash plan new`';

/** Above the plan: its own digest, to see edits by hand, and those of the documents, to see what changed. */
function withOrigin({ text, documents }: FeaturePlan): string {
  const lines = documents.map(
    ({ path, digest }) => `# document ${digest} ${JSON.stringify(path)}\n`,
  );
  const body = `${lines.join('')}${text}`;
  return `${HEAD} ${digestOf(body)}\n${body}`;
}

function isUntouched(text: string): boolean {
  const end = text.indexOf('\n');
  return text.slice(0, end) === `${HEAD} ${digestOf(text.slice(end + 1))}`;
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

interface Change {
  readonly what: `${'document' | 'step'} ${'changed' | 'added' | 'removed'}`;
  readonly name: string;
}

function changesSince(before: string, after: string): readonly Change[] {
  return [
    ...differences('document', documentsIn(before), documentsIn(after)),
    ...differences('step', stepsIn(before), stepsIn(after)),
  ];
}

function differences(
  kind: 'document' | 'step',
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly Change[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name): readonly Change[] => {
    const [old, now] = [before.get(name), after.get(name)];
    if (old === now) return [];
    const what = old === undefined ? 'added' : now === undefined ? 'removed' : 'changed';
    return [{ what: `${kind} ${what}`, name }];
  });
}

function documentsIn(text: string): ReadonlyMap<string, string> {
  const found = text.matchAll(/^# document (sha256:[0-9a-f]{64}) (".*")$/gm);
  return new Map(
    [...found].map(([, digest = '', path = '']) => [path.slice(1, -1), digest] as const),
  );
}

/** Each step with its text, from the comment before it on. */
function stepsIn(text: string): ReadonlyMap<string, string> {
  const [, steps = ''] = text.split(/^steps:$/m);
  return new Map(
    steps.split(/^ {2}(?=# from )/m).flatMap((step) => {
      const id = /^ {2}- id: (\S+)$/m.exec(step)?.[1];
      return id === undefined ? [] : [[id, step] as const];
    }),
  );
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    if (isErrno(error, 'EISDIR', 'EACCES', 'ENOTDIR', 'ELOOP')) return '';
    throw error;
  }
}

function shownPath(context: Context, file: string): string {
  const path = relative(context.cwd, file);
  return path.startsWith('..') || isAbsolute(path) ? file : path;
}
