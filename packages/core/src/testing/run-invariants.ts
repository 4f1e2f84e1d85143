/** What must hold in every state of every run, and of every event, whoever sent what. Violations are sentences. */
import type { RunEvent } from '../machine/events.ts';
import { lastWorked, liveAttempt, planStep } from '../machine/state.ts';
import type { ApprovalState, RunState, StepState } from '../machine/state.ts';
import { blockedReasons, goesOnInLane, runStatus, workspaceHolder } from '../machine/status.ts';
import { SETTLED_STATUSES, STEP_STATUSES } from '../machine/transitions.ts';
import { isWriter } from '../plan/plan.ts';
import { effectKey, effectsOf } from '../schedule/effects.ts';
import { runToView } from '../views/run-view.ts';

const DONE: ReadonlySet<string> = new Set(['succeeded', 'skipped']);
/** Effects that nothing asks for in a run that is paused. */
const BEGINS: ReadonlySet<string> = new Set([
  'PrepareWorkspace',
  'EvaluateStep',
  'StartStep',
  'EvaluateGate',
  'AnswerGate',
  'UnholdAttempt',
  'WakeAt',
]);
const FINAL: ReadonlySet<string> = new Set(['succeeded', 'canceled']);

/** What is wrong with `state` at `nowMs`; empty when nothing is. */
export function stateViolations(state: RunState, nowMs: number): readonly string[] {
  const wrong: string[] = [];
  const { plan } = state.created;
  const running = [...state.steps.values()].filter((step) => step.status === 'running');
  const writers = running.filter((step) => isWriter(planStep(plan, step.id)));
  if (running.length > plan.concurrency) wrong.push('more attempts live than concurrency allows');
  const inRun = writers.filter((step) => liveAttempt(step)?.lane !== true);
  if (inRun.length > 1) wrong.push('two writers live at once in the workspace of the run');
  const holder = workspaceHolder(state);
  if (inRun.some((step) => step.id !== holder?.id)) {
    wrong.push('a writer runs in a workspace that another step holds');
  }
  for (const step of state.steps.values()) wrong.push(...stepViolations(state, step));
  for (const approval of state.approvals.values()) {
    wrong.push(...approvalViolations(state, approval));
  }
  wrong.push(...runViolations(state, nowMs, running.length), ...tableViolations(state));
  return wrong;
}

function stepViolations(state: RunState, step: StepState): readonly string[] {
  const wrong: string[] = [];
  const say = (what: string): void => {
    wrong.push(`step ${step.id} (${step.status}): ${what}`);
  };
  const live = step.attempts.filter((attempt) => attempt.status === 'running');
  if (live.length > 1) say('two live attempts');
  if ((step.status === 'running') !== (live.length === 1)) say('status and attempts disagree');
  if (live.length === 1 && liveAttempt(step) === undefined) say('its live attempt is not the last');
  if (step.attempts.some(({ number }, index) => number !== index + 1)) say('attempts not dense');
  const cancels = state.cancelRequest !== null && state.ended === null;
  if (step.status === 'stale' && !cancels) say('a stale step was left behind');
  if ((step.waiting !== null) !== (step.status === 'blocked')) say('waits without being blocked');
  if (step.notBeforeMs !== null && step.status !== 'ready') say('a back-off outside ready');
  if (step.granted.length > 0 && step.status !== 'ready') say('approvals granted outside ready');
  if (step.invalidated && step.status !== 'running') say('invalidated without a live attempt');
  if ((step.skipped !== null) !== (step.status === 'skipped')) say('skipped and status disagree');
  if (DONE.has(step.status) && step.failure !== null) say('done with a failure');
  const needs = planStep(state.created.plan, step.id).needs;
  const met = needs.every((id) => DONE.has(state.steps.get(id)?.status ?? '') || looked(state, id));
  const needless: readonly string[] = ['pending', 'stale', 'canceled'];
  const standsAlone = needless.includes(step.status) || step.invalidated;
  if (!met && !standsAlone) say('what it needs is not there');
  const used = step.attempts
    .filter((attempt) => attempt.status !== 'never-started')
    .flatMap((attempt) => attempt.approvals);
  if (new Set(used).size !== used.length) say('an approval was used twice');
  return wrong;
}

/** A validation that has passed once; it may look again while what built on it stays. */
function looked(state: RunState, id: string): boolean {
  const attempts = state.steps.get(id)?.attempts ?? [];
  const isValidation = planStep(state.created.plan, id).kind === 'validation';
  return isValidation && attempts.some(({ status }) => status === 'succeeded');
}

function approvalViolations(state: RunState, approval: ApprovalState): readonly string[] {
  const wrong: string[] = [];
  const say = (what: string): void => {
    wrong.push(`approval ${approval.id} (${approval.kind}, ${approval.status}): ${what}`);
  };
  const people = approval.decisions.map((decision) => decision.approver);
  if (new Set(people).size !== people.length) say('decided twice by one person');
  if (approval.decisions.some(({ subjectDigest }) => subjectDigest !== approval.subjectDigest)) {
    say('a decision about something else');
  }
  const enough = approversOf(approval).length >= approval.requires.count;
  if (approval.status === 'approved' && !enough) say('approved by too few');
  if (approval.usedBy !== null && approval.status !== 'approved')
    say('used without being approved');
  const step = state.steps.get(approval.step);
  const waits = step?.waiting?.reason === 'approval' ? step.waiting.approvalId : null;
  if (approval.kind === 'override') {
    const blocks = step?.status === 'blocked';
    if (approval.status === 'open' && !blocks && !stands(state))
      say('open, and nothing is blocked');
    if (!approval.decisions.every(({ roles }) => roles.includes('admin'))) say('not by admins');
  } else if (approval.kind === 'tool') {
    const gates = (step === undefined ? undefined : liveAttempt(step))?.gates ?? [];
    const asked = gates.some((gate) => gate.gateId === approval.gateId && gate.status === 'asked');
    if (approval.status === 'open' && !asked) say('open, and no tool call waits for it');
  } else if (approval.kind === 'skip' || approval.kind === 'replan') {
    const isAsked = state.change?.approvals.includes(approval.id) === true;
    if (approval.status === 'open' && !isAsked && !stands(state)) say('open, and nobody asks');
  } else if ((approval.status === 'open') !== (waits === approval.id)) {
    say('open and waiting disagree');
  }
  const isOfStep = approval.kind === 'start' || approval.kind === 'gate';
  const moved = approval.askedAt !== state.checkpoint?.commit && state.ended === null;
  if (isOfStep && approval.status === 'open' && moved && !stands(state)) {
    say('open about a workspace that is not there any more');
  }
  return wrong;
}

/** Nothing is tidied up in a run that is paused or being canceled. */
function stands(state: RunState): boolean {
  return state.paused !== null || state.cancelRequest !== null;
}

function runViolations(state: RunState, nowMs: number, running: number): readonly string[] {
  const wrong: string[] = [];
  const status = runStatus(state);
  const effects = effectsOf(state, nowMs);
  const reasons = blockedReasons(state);
  const keys = effects.map(effectKey).filter((key) => !key.startsWith('WakeAt'));
  if (new Set(keys).size !== keys.length) wrong.push('the same effect is named twice');
  if (state.ended !== null) {
    if (running > 0) wrong.push('ended with a live attempt');
    if (reasons.length > 0) wrong.push('ended and still waiting for people');
    if ([...state.approvals.values()].some((each) => each.status === 'open')) {
      wrong.push('ended with an open request');
    }
    if (effects.some(({ type }) => type !== 'ApplyResult'))
      wrong.push('ended and still wants something done');
  }
  if (FINAL.has(status) && state.ended !== status) wrong.push(`${status} without its end event`);
  const over = FINAL.has(status) || status === 'failed';
  const moves = running > 0 || effects.length > 0;
  const waits = (status === 'blocked' && reasons.length > 0) || status === 'paused';
  if (!over && !moves && !waits) {
    wrong.push(`stuck: ${status}, and nothing to do`);
  }
  const begins = effects.filter(({ type }) => BEGINS.has(type));
  if (state.paused !== null && begins.length > 0) wrong.push('paused, and something is to begin');
  if (state.paused !== null && state.ended !== null) wrong.push('paused though it has ended');
  if (status === 'running' && !moves) wrong.push('running, and nothing moves');
  if (status === 'blocked' && reasons.length === 0) wrong.push('blocked without a reason');
  const steps = [...state.steps.values()];
  const allDone = steps.every((step) => DONE.has(step.status));
  if ((status === 'succeeded') !== (allDone && state.ended === 'succeeded')) {
    wrong.push('succeeded and its steps disagree');
  }
  const view = runToView(state);
  if (view.status !== status || view.steps.length !== steps.length) wrong.push('the view differs');
  return wrong;
}

/** What the table of the steps knows of them without looking is what looking at them tells. */
function tableViolations({ steps, created }: RunState): readonly string[] {
  const wrong: string[] = [];
  const all = [...steps.values()];
  for (const status of STEP_STATUSES) {
    const count = all.filter((step) => step.status === status).length;
    if (count !== steps.count(status)) wrong.push(`miscounted as ${status}`);
  }
  const active = steps.activeSteps().map((step) => step.id);
  for (const { id, status, attempts } of all) {
    const met = planStep(created.plan, id).needs.every((need) =>
      DONE.has(steps.get(need)?.status ?? ''),
    );
    if (steps.isEligible(id) !== met) wrong.push(`${id}: wrongly eligible or not`);
    const settled = SETTLED_STATUSES.includes(status);
    const waitsForOthers = status === 'pending' && !met && attempts.length === 0;
    if (active.includes(id) === (settled || waitsForOthers)) wrong.push(`${id}: wrongly active`);
  }
  return wrong;
}

/** What is wrong with `event`, which follows on `before`. */
export function eventViolations(before: RunState, event: RunEvent): readonly string[] {
  const wrong: string[] = [];
  const say = (what: string): void => {
    wrong.push(`${event.type}: ${what}`);
  };
  const isOfResult = event.type.startsWith('Result');
  if (FINAL.has(before.ended ?? '') && !isOfResult) say('the run was over');
  const begins = ['StepReadied', 'ApprovalRequested', 'AttemptStarted', 'GatePassed'];
  if (before.cancelRequest !== null && begins.includes(event.type)) say('after a cancel request');
  const stopped = ['AttemptStarted', 'StepDenied', 'StepBlocked', 'RunEnded'];
  if (before.paused !== null && stopped.includes(event.type)) say('the run is paused');
  if (event.type === 'AttemptStarted') startViolations(before, event.data, say);
  if (event.type === 'GatePassed') {
    const approval = before.approvals.get(event.data.approvalId);
    if (approval?.kind !== 'gate' || approval.status !== 'approved') say('nobody approved');
    else if (approversOf(approval).length < approval.requires.count) say('too few approved');
  }
  const isSkip = event.type === 'StepSkipped' && event.data.cause === 'decision';
  if (event.type === 'PlanReplaced' || isSkip) {
    const { verdict } = before.change?.asked ?? {};
    const granted = before.change?.approvals.map((id) => before.approvals.get(id)?.status) ?? [];
    if (verdict === undefined || verdict.verdict === 'deny') say('nobody may do this');
    if (granted.some((status) => status !== 'approved')) say('not all have agreed');
    if (verdict?.verdict === 'requires_approval' && granted.length === 0) say('nobody was asked');
  }
  if (event.type === 'ApprovalRequested') requestViolations(before, event.data, say);
  if (event.type === 'ToolDecided' && event.data.approvalId !== null) {
    const approval = before.approvals.get(event.data.approvalId);
    const wanted = event.data.decision === 'allow' ? 'approved' : approval?.status;
    if (approval?.gateId !== event.data.gateId || approval.status !== wanted) say('not decided');
  }
  if (event.type === 'ApprovalDecided' && event.actor.kind !== 'person') say('not by a person');
  return wrong;
}

/** One unused override, decided by enough admins, for exactly this, that lists every rule, none of them absolute. */
function isOverridden(
  before: RunState,
  {
    approvals,
    verdict,
    step,
    subjectDigest,
  }: Extract<RunEvent, { type: 'AttemptStarted' }>['data'],
): boolean {
  const override = before.approvals.get(approvals[0] ?? '');
  if (override?.kind !== 'override' || approvals.length !== 1) return false;
  const listed = override.why.map(({ rule }) => rule);
  return (
    override.step === step &&
    override.status === 'approved' &&
    override.usedBy === null &&
    override.subject['start'] === subjectDigest &&
    override.policyDigest === verdict.policyDigest &&
    verdict.why.every(({ rule, absolute }) => listed.includes(rule) && absolute !== true) &&
    new Set(approversOf(override)).size >= override.requires.count
  );
}

function requestViolations(
  before: RunState,
  data: Extract<RunEvent, { type: 'ApprovalRequested' }>['data'],
  say: (what: string) => void,
): void {
  if (data.kind !== 'start' && data.kind !== 'gate') return;
  const { plan } = before.created;
  for (const { step, kind, status, subjectDigest } of before.approvals.values()) {
    const same = step === data.step && kind === data.kind && subjectDigest === data.subjectDigest;
    if (same && status === 'rejected') say('what was rejected is asked again');
  }
  for (const id of planStep(plan, data.step).needs) {
    const needed = before.steps.get(id);
    if (planStep(plan, id).kind !== 'validation' || needed?.status !== 'succeeded') continue;
    if (needed.checkpoint?.commit !== before.checkpoint?.commit) {
      say('it rests on a validation of another workspace');
    }
  }
}

function startViolations(
  before: RunState,
  data: Extract<RunEvent, { type: 'AttemptStarted' }>['data'],
  say: (what: string) => void,
): void {
  const { plan } = before.created;
  const step = before.steps.get(data.step);
  const planned = planStep(plan, data.step);
  const others = [...before.steps.values()].filter((each) => each.id !== data.step);
  if (step?.status !== 'ready') say('not ready');
  if (planned.kind === 'approval') say('an approval step has no attempts');
  if (others.some((each) => each.status === 'failed') && plan.onFailure === 'stop') {
    say('after a failure that stops the run');
  }
  const holds = (each: StepState): boolean =>
    isWriter(planStep(plan, each.id)) &&
    lastWorked(each)?.lane !== true &&
    (each.status === 'running' || each.status === 'interrupted');
  const isLane = data.lane === true;
  if (isWriter(planned) && !isLane && others.some(holds)) say('into a workspace that is taken');
  if (isLane && !isWriter(planned)) say('a reader with a workspace of its own');
  if (isLane && plan.concurrency < 2) say('beside another, where one is to work at a time');
  if (before.conflict !== null) say('while a conflict is to be settled');
  if (before.unjoined.some((work) => planned.needs.includes(work.step))) {
    say('before what it needs is in the workspace');
  }
  if (data.subjectDigest !== step?.subjectDigest) say('not what was evaluated');
  if (data.verdict.verdict === 'deny' && !isOverridden(before, data)) say('denied');
  const goesOn = isLane && step !== undefined && goesOnInLane(step);
  const from = goesOn ? lastWorked(step)?.inputCheckpoint : before.checkpoint;
  if (data.inputCheckpoint.commit !== from?.commit) say('not from the checkpoint');
  if (data.verdict.verdict !== 'requires_approval' || isOverridden(before, data)) return;
  const approvals = data.approvals.map((id) => before.approvals.get(id));
  const people = new Set<string>();
  for (const approval of approvals) {
    const fits =
      approval?.kind === 'start' &&
      approval.step === data.step &&
      approval.status === 'approved' &&
      approval.usedBy === null &&
      approval.subjectDigest === data.subjectDigest &&
      approval.policyDigest === data.verdict.policyDigest;
    if (!fits) say('an approval that is good for something else');
    else for (const approver of approversOf(approval)) people.add(approver);
  }
  if (people.size < data.verdict.requires.count) say('without the approvals it needs');
}

function approversOf(approval: ApprovalState): readonly string[] {
  return approval.decisions
    .filter(({ decision }) => decision === 'approve')
    .map(({ approver }) => approver);
}
