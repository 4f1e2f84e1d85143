/** Visits every state that a plan can reach, whatever the outside sends, and checks each on the way. */
import { InvariantError } from '../base/invariant.ts';
import { decide } from '../machine/decide.ts';
import type { Decided } from '../machine/decide.ts';
import { applyEvent } from '../machine/evolve.ts';
import type { Checkpoint, RunEvent } from '../machine/events.ts';
import { forkState, lastWorked, liveAttempt, planStep } from '../machine/state.ts';
import type { ApprovalState, RunState, StepState } from '../machine/state.ts';
import type { Plan } from '../plan/plan.ts';
import { effectsOf } from '../schedule/effects.ts';
import { COMMANDS, RITA, TEST_RUN, testContext } from './run-fixtures.ts';
import { eventViolations, stateViolations } from './run-invariants.ts';
import { EARLY_MS, LATE_MS, naturalMove, outsideMoves } from './run-moves.ts';
import type { Move, Surroundings } from './run-moves.ts';
import { stateToText } from './scenario.ts';

export interface Exploration {
  readonly states: number;
  /** Commands sent, refused ones included. */
  readonly edges: number;
  /** Whether the limit cut it short. */
  readonly cut: boolean;
  /** Rows of the transition table that were seen, as `<status> <event>`. */
  readonly rows: ReadonlySet<string>;
  /** Refusal types that were seen. */
  readonly refusals: ReadonlySet<string>;
  /** Statuses that runs were seen in, by their end. */
  readonly ends: ReadonlySet<string>;
}

interface Seen {
  readonly state: RunState;
  readonly parent: Seen | null;
  readonly move: Move | null;
  /** States that lead here by other commands than CancelRun. */
  readonly before: Seen[];
}

/** One in so many meetings with a known state is checked to be with the same state indeed. */
const SAMPLED = 199;

/** Throws InvariantError with the whole story at the first thing that is wrong. */
export function exploreRuns(plan: Plan, around: Surroundings, maxStates: number): Exploration {
  const first = decide(TEST_RUN, null, COMMANDS.create(plan, around.forkedFrom), testContext(RITA));
  if (!first.ok) throw new InvariantError('the run cannot be created');
  const root: Seen = { state: first.value.state, parent: null, move: null, before: [] };
  const queue = [root];
  const seenByKey = new Map([[stateKey(root.state, around.restarts), root]]);
  const found = { rows: new Set<string>(), refusals: new Set<string>(), ends: new Set<string>() };
  let [edges, meetings, cut] = [0, 0, false];
  // The queue grows while it is gone through.
  for (const seen of queue) {
    const { state } = seen;
    try {
      found.ends.add(state.ended ?? 'open');
      const wrong = [...stateViolations(state, EARLY_MS), ...responseViolations(state)];
      if (wrong.length > 0) throw new InvariantError(wrong.join('; '));
      const whole = stateToText(state);
      for (const move of outsideMoves(state, around)) {
        edges += 1;
        const after = takeMove(state, move, found)?.state;
        if (after === undefined) continue;
        const key = stateKey(after, around.restarts);
        let met = seenByKey.get(key);
        if (met === undefined && queue.length >= maxStates) {
          cut = true;
          continue;
        }
        if (met === undefined) {
          met = { state: after, parent: seen, move, before: [] };
          seenByKey.set(key, met);
          queue.push(met);
        } else if ((meetings += 1) % SAMPLED === 0) {
          assertSameFuture(met.state, after, around);
        }
        if (move.command.type !== 'CancelRun') met.before.push(seen);
      }
      if (stateToText(state) !== whole) throw new InvariantError('a command changed its input');
    } catch (error) {
      throw withStory(error, seen);
    }
  }
  if (!cut) assertCanEnd(queue);
  return { states: queue.length, edges, cut, ...found };
}

/** Two states with one key can be taken to the same states: the key leaves out nothing that matters. */
function assertSameFuture(a: RunState, b: RunState, around: Surroundings): void {
  const [futureOfA, futureOfB] = [a, b].map((state) => {
    const keys = new Set<string>();
    for (const { command, actor, nowMs } of outsideMoves(state, around)) {
      const decided = decide(TEST_RUN, state, command, testContext(actor, nowMs));
      if (decided.ok && decided.value.events.length > 0)
        keys.add(stateKey(decided.value.state, around.restarts));
    }
    return [...keys].sort().join('\n');
  });
  if (futureOfA !== futureOfB) throw new InvariantError('states with one key differ');
}

/** From everywhere a run can come to its end without being canceled, save where that has been asked for. */
function assertCanEnd(all: readonly Seen[]): void {
  const ending = new Set(all.filter(({ state }) => state.ended !== null));
  for (const seen of ending) for (const before of seen.before) ending.add(before);
  const lost = all.find((seen) => !ending.has(seen));
  if (lost !== undefined) throw withStory(new InvariantError('the run can never end'), lost);
}

function withStory(error: unknown, seen: Seen): InvariantError {
  const lines: string[] = [];
  for (let at: Seen | null = seen; at !== null; at = at.parent) {
    if (at.move !== null) lines.push(moveToText(at.move));
  }
  const message = error instanceof Error ? error.message : String(error);
  return new InvariantError(`${message}\nafter:\n  ${lines.reverse().join('\n  ')}`);
}

/**
 * Decides `move` and checks all that follows: same twice, legal events, fold equal to the decider's state. Null when it
 * was refused or changed nothing. Throws InvariantError when something is wrong.
 */
export function takeMove(
  state: RunState,
  { command, actor, nowMs }: Move,
  found: { readonly rows: Set<string>; readonly refusals: Set<string> },
): Decided | null {
  const context = testContext(actor, nowMs);
  const fail = (what: string): never => {
    throw new InvariantError(`${what}: ${moveToText({ command, actor, nowMs })}`);
  };
  const decided = decide(TEST_RUN, state, command, context);
  const again = decide(TEST_RUN, state, command, context);
  if (!decided.ok) {
    found.refusals.add(decided.error.type);
    if (again.ok || JSON.stringify(again.error) !== JSON.stringify(decided.error))
      fail('not the same twice');
    return null;
  }
  const { events, state: after } = decided.value;
  if (!again.ok || JSON.stringify(again.value.events) !== JSON.stringify(events)) {
    fail('not the same twice');
  }
  if (events.length === 0) return null;
  const folded = forkState(state);
  for (const event of events) {
    const wrong = eventViolations(folded, event);
    if (wrong.length > 0) fail(wrong.join('; '));
    noteRows(folded, event, found.rows);
    applyEvent(folded, event);
  }
  if (stateToText(folded) !== stateToText(after)) fail('the fold of the events is another state');
  keepsHistory(state, after, fail);
  return decided.value;
}

function noteRows(before: RunState, event: RunEvent, rows: Set<string>): void {
  if ('step' in event.data) {
    rows.add(`${before.steps.get(event.data.step)?.status ?? ''} ${event.type}`);
  } else if (event.type === 'RunCanceled') {
    for (const { status } of before.steps.values()) rows.add(`${status} RunCanceled`);
  }
}

/** Ended attempts and given decisions never change, and nothing goes. */
function keepsHistory(before: RunState, after: RunState, fail: (what: string) => never): void {
  for (const step of before.steps.values()) {
    const left = after.retired.find((one) => one.step.id === step.id)?.step;
    const kept = (after.steps.get(step.id) ?? left)?.attempts ?? [];
    for (const attempt of step.attempts) {
      if (attempt.status !== 'running' && kept[attempt.number - 1] !== attempt) {
        fail(`attempt ${attempt.number} of ${step.id} has changed after its end`);
      }
    }
  }
  for (const approval of before.approvals.values()) {
    const kept = after.approvals.get(approval.id)?.decisions ?? [];
    if (approval.decisions.some((decision, index) => kept[index] !== decision)) {
      fail(`decisions on ${approval.id} have changed`);
    }
  }
}

/** Every effect, done, is taken and moves the run on. */
function responseViolations(state: RunState): readonly string[] {
  const wrong: string[] = [];
  const wants = (at: RunState, nowMs: number): string => JSON.stringify(effectsOf(at, nowMs));
  for (const effect of effectsOf(state, EARLY_MS)) {
    // A host is told something, and has nothing to say to it.
    if (effect.type === 'HoldAttempt' || effect.type === 'UnholdAttempt') continue;
    const { command, actor, nowMs } = naturalMove(state, effect);
    const decided = decide(TEST_RUN, state, command, testContext(actor, nowMs));
    const name = JSON.stringify(effect);
    if (!decided.ok) wrong.push(`${name} is refused as ${decided.error.type}`);
    else if (effect.type === 'WakeAt') {
      // Else the engine would wake for it again at once.
      if (wants(decided.value.state, LATE_MS).includes(name)) wrong.push(`${name} leads nowhere`);
    } else if (stateKey(decided.value.state) === stateKey(state)) wrong.push(`${name} is in vain`);
  }
  return wrong;
}

export function moveToText({ command, actor, nowMs }: Move): string {
  return `${actor.id} at ${nowMs}: ${JSON.stringify(command).slice(0, 300)}`;
}

/**
 * What the future of a run depends on, as text: numbers of attempts and requests, times and texts are left out, so that
 * a run that has come back to where it was is the same state.
 */
export function stateKey(state: RunState, restarts = false): string {
  const { startedAt, startFailure, cancelRequest, ended, paused, wasPaused } = state;
  const begun = [startedAt !== null, startFailure !== null, cancelRequest !== null, ended];
  const pending = state.change?.asked.change;
  const asks = pending && (pending.type === 'skip' ? pending.step : pending.digest);
  const joins = [
    state.unjoined.map(({ step }) => step),
    state.conflict && [state.conflict.step, state.conflict.with, state.conflict.settled],
  ];
  const flags = [...begun, paused !== null, wasPaused, state.applying !== null, asks, joins];
  const steps = [...state.steps.values()].map((step) => stepKey(state, step));
  if (!restarts) return JSON.stringify([flags, steps]);
  // Where each step could go back to. Commits are numbered by attempts: so by their place in the line.
  const line: (readonly [step: string, commit: string])[] = [];
  for (let at = state.line; at !== null; at = at.before) line.push([at.step, at.checkpoint.commit]);
  const placeOf = (checkpoint: Checkpoint | null | undefined): number | 'origin' =>
    checkpoint?.commit === state.origin?.commit
      ? 'origin'
      : line.findIndex(([, commit]) => commit === checkpoint?.commit);
  const reaches = [...state.steps.values()].map((step) => {
    const began = lastWorked(step)?.inputCheckpoint;
    return [placeOf(began), placeOf(step.checkpoint), step.anew];
  });
  const bases = state.unjoined.map(({ base }) => placeOf(base));
  return JSON.stringify([flags, steps, line.map(([step]) => step), reaches, bases]);
}

function stepKey(state: RunState, step: StepState): unknown {
  const attempt = liveAttempt(step);
  // What an attempt that turns out never to have begun leaves as the newest.
  const worked = step.attempts.findLast(
    ({ status }) => status !== 'never-started' && status !== 'running',
  );
  const useful = [...state.approvals.values()].filter(
    (approval) => approval.step === step.id && isUseful(step, approval),
  );
  return [
    step.status,
    step.skipped,
    step.waiting?.reason,
    step.subjectDigest,
    step.verdict,
    step.granted.map((id) => useful.findIndex((approval) => approval.id === id)),
    [step.next, worked?.status === 'interrupted' && [worked.lane], worked === undefined],
    step.notBeforeMs,
    sightOf(state, step),
    [step.tries, step.automaticResumes, step.rejections, step.feedback.length],
    [step.invalidated, step.failure?.code],
    attempt && [
      attempt.reportedSeq,
      attempt.lane,
      attempt.gates.map(({ status, decision }) => [status, decision]),
    ],
    rejectedOf(state, step),
    useful.map((approval) => [
      approval.kind,
      approval.status,
      approval.subjectDigest,
      approval.policyDigest,
      approval.requires.count,
      approval.kind === 'override' ? [approval.subject['start'], approval.why] : null,
      approval.expiresAtMs,
      approval.escalated || approval.escalation?.atMs,
      approval.askedAt === state.checkpoint?.commit,
      approval.gateId,
      approval.usedBy === null,
      approval.decisions.map((decision) => decision.approver).sort(),
    ]),
  ];
}

/** Whether what a validation saw, or looks at, is still there; nobody asks it of other steps. */
function sightOf(state: RunState, step: StepState): readonly boolean[] | null {
  if (planStep(state.created.plan, step.id).kind !== 'validation') return null;
  const seen = [step.checkpoint, liveAttempt(step)?.inputCheckpoint];
  return seen.map((checkpoint) => checkpoint?.commit === state.checkpoint?.commit);
}

/** Digests that nobody is asked about again. */
function rejectedOf(state: RunState, step: StepState): readonly string[] {
  const rejected = [...state.approvals.values()].filter(
    ({ step: id, kind, status }) =>
      id === step.id && (kind === 'start' || kind === 'gate') && status === 'rejected',
  );
  return [...new Set(rejected.map(({ subjectDigest }) => subjectDigest))].sort();
}

/** Open, still to be used, or given back if its attempt turns out never to have begun. */
function isUseful(step: StepState, approval: ApprovalState): boolean {
  if (approval.status === 'open') return true;
  const starts = approval.kind === 'start' || approval.kind === 'override';
  if (approval.status !== 'approved' || !starts) return false;
  return approval.usedBy === null || liveAttempt(step)?.approvals.includes(approval.id) === true;
}
