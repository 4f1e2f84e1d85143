/** The verbs about features: what the project's documents tell, and what comes next. */
import type { DependencyView, DocumentView, FeatureView, TaskView } from '@ccdash/api/client';
import { connect } from './connect.ts';
import type { Context, Style } from './context.ts';
import { toPlainLine } from './plain-text.ts';
import { EXIT, problemToRefusal, refuse } from './refusals.ts';

export async function listFeatures(context: Context, isAll: boolean): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const listed = await connection.value.client.features();
  if (!listed.ok) return refuse(context, problemToRefusal(listed.error));
  if (context.isJson) {
    context.writeJson(listed.value);
    return EXIT.done;
  }
  const { features, broken, documents } = listed.value;
  const shown = features.filter(
    ({ status }) => isAll || (status !== 'done' && status !== 'deferred'),
  );
  for (const { slug, status, tasks, recommendation, title } of shown) {
    const count = tasks.total === 0 ? '' : `  ${tasks.finished}/${tasks.total} tasks`;
    const blocked = tasks.blocked === 0 ? '' : `, ${tasks.blocked} blocked`;
    context.say({ text: slug, style: 'bold' }, `  ${status}${count}${blocked}`);
    context.say({ text: `  ${toPlainLine(title, context.width - 2)}`, style: 'quiet' });
    context.say(`  ${toPlainLine(recommendation.text, context.width - 2)}`);
  }
  sayBroken(context, broken);
  const hidden = features.length - shown.length;
  const more = hidden === 0 ? '' : `, ${hidden} of them finished (--all)`;
  const total = `${features.length} features in ${documents} documents${more}`;
  context.say({ text: total, style: 'quiet' });
  if (features.length === 0) {
    context.say('Features are read from docs/project_plans and .claude/progress.');
  }
  return EXIT.done;
}

export async function showFeature(context: Context, slug: string): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const found = await connection.value.client.feature(slug);
  if (!found.ok) return refuse(context, problemToRefusal(found.error));
  const feature = found.value;
  if (context.isJson) {
    context.writeJson(feature);
    return EXIT.done;
  }
  const { title, status, category, riskLevel, documents, phases, blockers, runs } = feature;
  const about = [status, category, riskLevel === null ? null : `risk ${riskLevel}`];
  context.say({ text: feature.slug, style: 'bold' }, `  ${about.filter(Boolean).join(', ')}`);
  context.say(title);
  for (const { path, kind } of documents.filter((each) => each.kind !== 'document')) {
    context.say({ text: `  ${kind.padEnd(9)}${path}`, style: 'quiet' });
  }
  for (const phase of phases) {
    const name = phase.title === null ? '' : `  ${toPlainLine(phase.title, context.width - 20)}`;
    const style = STYLES[phase.status];
    context.say({ text: `phase ${phase.key}`, style: 'bold' }, name, '  ', {
      text: phase.status,
      style,
    });
    for (const task of phase.tasks) sayTask(context, task, phase.key);
  }
  for (const { document, text } of blockers) {
    context.say({ text: 'blocker', style: 'bad' }, `  ${toPlainLine(text, 200)} (${document})`);
  }
  sayBroken(context, documents);
  for (const id of runs) context.say(`run ${id}: ccdash run show ${id}`);
  sayNext(context, feature);
  return EXIT.done;
}

const STYLES: Readonly<Record<TaskView['status'], Style>> = {
  pending: 'quiet',
  in_progress: 'wait',
  review: 'wait',
  completed: 'good',
  deferred: 'quiet',
  blocked: 'bad',
};

function sayTask(context: Context, task: TaskView, phase: string): void {
  const after =
    task.dependsOn.length === 0
      ? ''
      : `  after ${task.dependsOn.map((each) => dependencyToText(each, phase)).join(', ')}`;
  const title = toPlainLine(task.title, Math.max(20, context.width - 40));
  const status = { text: task.status, style: STYLES[task.status] };
  context.say('  ', { text: task.id, style: 'bold' }, `  ${title}  `, status, {
    text: after,
    style: 'quiet',
  });
}

function dependencyToText({ id, kind, phase }: DependencyView, own: string): string {
  if (kind === 'external') return `${id} (external)`;
  return kind === 'phase' || phase === own ? id : `${id} (phase ${phase ?? ''})`;
}

function sayBroken(context: Context, documents: readonly DocumentView[]): void {
  for (const { path, problem } of documents) {
    if (problem === null) continue;
    const { line, column, detail } = problem;
    context.say({ text: 'broken', style: 'bad' }, `  ${path}:${line}:${column}: ${detail}`);
  }
}

function sayNext(context: Context, { recommendation }: FeatureView): void {
  const { rule, text, command, evidence } = recommendation;
  context.say({ text: 'next', style: 'wait' }, `  ${text}`, {
    text: `  [${rule}]`,
    style: 'quiet',
  });
  for (const { document, fact } of evidence) {
    const where = document === null ? '' : ` (${document})`;
    context.say({ text: `  because ${fact}${where}`, style: 'quiet' });
  }
  if (command !== null) context.say(`  ${command}`);
}
