/** The recommended next step of a feature. The first rule that fits wins; each says what it rests on. */
import type { FeatureView, PhaseView, Recommendation } from '@ccdash/api';
import { isTerminal } from '../documents/statuses.ts';

type Known = Pick<FeatureView, 'slug' | 'status' | 'documents' | 'phases'>;
type Evidence = Recommendation['evidence'];

export function recommend(feature: Known): Recommendation {
  const { slug, documents, phases, status } = feature;
  const isFinal = status === 'done' || status === 'deferred';
  const plan = documents.find(({ kind }) => kind === 'plan' || kind === 'phase');
  const ground = documents.filter(({ kind }) => kind === 'prd' || kind === 'report');
  const allTerminal = phases.length > 0 && phases.every((phase) => isTerminal(phase.status));
  if (isFinal && (allTerminal || phases.length === 0)) {
    return give('R0_NOTHING_LEFT', 'Nothing is left to do.', null, null, [
      fact(plan?.path ?? documents[0]?.path, `the feature is ${status}`),
      ...phases.map(factOfPhase),
    ]);
  }
  if (plan === undefined && phases.length === 0 && ground.length > 0) {
    const command = `ccdash plan new --feature ${slug}`;
    return give(
      'R1_PLAN_FEATURE',
      'Plan the feature: it has no implementation plan yet.',
      null,
      command,
      [
        ...ground.map(({ path, kind }) => fact(path, `a ${kind} is there`)),
        fact(null, 'no implementation plan was found'),
      ],
    );
  }
  const has = plan === undefined ? [] : [fact(plan.path, 'the implementation plan')];
  const finished = phases.filter((phase) => isTerminal(phase.status));
  const [first] = phases;
  const active = phases.find(({ status: each }) => each === 'in_progress' || each === 'review');
  if (plan !== undefined && finished.length === 0 && first !== undefined) {
    return forPhase('R2_START_PHASE_1', slug, first, `Start with ${nameOf(first)}.`, [
      ...has,
      fact(null, 'no phase is finished'),
      factOfPhase(first),
      ...(active === undefined || active === first ? [] : [factOfPhase(active)]),
    ]);
  }
  if (plan !== undefined && phases.length === 0 && !isFinal) {
    const text = 'Start with phase 1; the plan names no phases, so all of it is one.';
    return give('R2_START_PHASE_1', text, null, `ccdash plan new --feature ${slug}`, [
      ...has,
      fact(plan.path, 'no phase was found'),
    ]);
  }
  const highest = phases.findLastIndex((phase) => isTerminal(phase.status));
  const next = highest < 0 ? undefined : phases[highest + 1];
  const done = phases[highest];
  if (done !== undefined && next !== undefined) {
    return forPhase('R3_NEXT_PHASE', slug, next, `Go on with ${nameOf(next)}.`, [
      ...has,
      factOfPhase(done),
      factOfPhase(next),
    ]);
  }
  if (active !== undefined) {
    const text = `Go on with ${nameOf(active)}, which is under way.`;
    return forPhase('R4_RESUME_PHASE', slug, active, text, [...has, factOfPhase(active)]);
  }
  if (allTerminal) {
    const text = 'Close the feature: all its phases are finished, but it is not.';
    return give('R5_CLOSE_FEATURE', text, null, null, [
      fact(plan?.path, `the feature is ${status}`),
      ...phases.map(factOfPhase),
    ]);
  }
  const text =
    'What comes next is not clear from the documents. The quick way: one command or agent run.';
  return give('R6_UNCLEAR', text, null, `ccdash exec --feature ${slug} -- COMMAND`, [
    ...has,
    ...phases.map(factOfPhase),
    ...(phases.length === 0 ? [fact(null, 'no phase was found')] : []),
  ]);
}

function forPhase(
  rule: Recommendation['rule'],
  slug: string,
  phase: PhaseView,
  text: string,
  evidence: Evidence,
): Recommendation {
  const command = `ccdash plan new --feature ${slug} --phase ${phase.key}`;
  return give(rule, text, phase.key, command, evidence);
}

function give(
  rule: Recommendation['rule'],
  text: string,
  phase: string | null,
  command: string | null,
  evidence: Evidence,
): Recommendation {
  return { rule, text, phase, command, evidence };
}

function nameOf({ key, title }: PhaseView): string {
  return title === null ? `phase ${key}` : `phase ${key} (${title})`;
}

function factOfPhase({ key, status, documents, tasks }: PhaseView): Evidence[number] {
  const finished = tasks.filter((task) => isTerminal(task.status)).length;
  const count = tasks.length === 0 ? '' : `, ${finished} of ${tasks.length} tasks finished`;
  return fact(documents[0], `phase ${key} is ${status}${count}`);
}

function fact(document: string | null | undefined, text: string): Evidence[number] {
  return { document: document ?? null, fact: text };
}
