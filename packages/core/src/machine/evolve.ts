/**
 * State is the fold of events. `applyEvent` changes the maps of the state it is given (a fold of 100,000 events must
 * not copy them 100,000 times); `evolve` leaves its argument alone. Neither judges: an event that the transition table
 * does not allow is a corrupt log, and throws.
 */
import { InvariantError, assertInvariant, unreachable } from '../base/invariant.ts';
import { isWriter, stepById } from '../plan/plan.ts';
import type { StepId } from '../plan/plan.ts';
import type { AttemptEnd, Checkpoint, RunEvent, RunEventData } from './events.ts';
import {
  approvalState,
  forkState,
  lastAttempt,
  liveAttempt,
  newStepState,
  planStep,
  stepState,
} from './state.ts';
import type {
  Applied,
  Made,
  ApprovalState,
  AttemptState,
  AttemptStatus,
  GateState,
  RunState,
  StepState,
  ToldMessage,
} from './state.ts';
import { StepTable } from './step-table.ts';
import { requireStatusAfter } from './transitions.ts';
import type { StepTransitionEvent } from './transitions.ts';

/** The state after `event`; `state` stays as it was. The first event of a run is RunCreated, on null. */
export function evolve(runId: string, state: RunState | null, event: RunEvent): RunState {
  if (state === null) return createdState(runId, event);
  const next = forkState(state);
  applyEvent(next, event);
  return next;
}

/** The state after all of `events`, oldest first; null when there are none. */
export function foldRun(runId: string, events: Iterable<RunEvent>): RunState | null {
  let state: RunState | null = null;
  for (const event of events) {
    if (state === null) state = createdState(runId, event);
    else applyEvent(state, event);
  }
  return state;
}

export function createdState(runId: string, event: RunEvent): RunState {
  if (event.type !== 'RunCreated') {
    throw new InvariantError(`run ${runId} begins with ${event.type}, not RunCreated`);
  }
  return {
    runId,
    sequence: 1,
    created: event.data,
    requester: event.actor,
    createdAt: event.at,
    startedAt: null,
    endedAt: null,
    ended: null,
    policyDigest: event.data.policyDigest,
    paused: null,
    wasPaused: false,
    cancelRequest: null,
    startFailure: null,
    origin: null,
    checkpoint: null,
    line: null,
    unjoined: [],
    conflict: null,
    notCarried: [],
    applying: null,
    applied: [],
    steps: StepTable.of(event.data.plan, newStepState),
    retired: [],
    change: null,
    approvals: new Map(),
  };
}

/** Changes `state` in place. */
export function applyEvent(state: RunState, event: RunEvent): void {
  state.sequence += 1;
  switch (event.type) {
    case 'RunCreated':
      throw new InvariantError(`run ${state.runId} was created twice`);
    case 'RunStarted':
      state.startedAt = event.at;
      state.origin = event.data.checkpoint;
      beginAt(state, event.data.checkpoint);
      state.notCarried = event.data.notCarried;
      return;
    case 'RunStartFailed':
      state.startFailure = event.data.failure;
      state.endedAt = event.at;
      return;
    case 'RunRequeued':
      state.startFailure = null;
      state.endedAt = null;
      return;
    case 'PolicyChanged':
      state.policyDigest = event.data.policyDigest;
      askToolsAgain(state);
      return;
    case 'RunPaused':
      state.paused = { ...event.data, by: event.actor };
      state.wasPaused = true;
      return;
    case 'RunUnpaused':
      state.paused = null;
      moveDeadlines(state, event.data.heldMs);
      return;
    case 'RunCancelRequested':
      state.cancelRequest = { reason: event.data.reason, by: event.actor };
      return;
    case 'RunCanceled':
      cancelSteps(state);
      state.paused = null;
      state.ended = 'canceled';
      state.endedAt = event.at;
      return;
    case 'RunEnded':
      state.ended = event.data.status;
      state.endedAt = event.at;
      return;
    case 'ResultApplying':
      state.applying = { asked: event.data, by: event.actor, at: event.at };
      return;
    case 'ResultApplied':
      endApply(state, event.at, { commit: event.data.commit, failure: null });
      return;
    case 'ResultNotApplied':
      endApply(state, event.at, { commit: null, failure: event.data.failure });
      return;
    case 'StepReadied':
      changeStep(state, event.data.step, event.type, {
        waiting: null,
        failure: null,
        subjectDigest: event.data.subjectDigest,
        verdict: event.data.verdict,
        granted: event.data.approvals,
      });
      return;
    case 'StepDenied':
      changeStep(state, event.data.step, event.type, {
        waiting: { reason: 'policy_denied' },
        subjectDigest: event.data.subjectDigest,
        verdict: event.data.verdict,
      });
      return;
    case 'StepBlocked':
      changeStep(state, event.data.step, event.type, {
        waiting: { reason: event.data.reason },
        failure: event.data.failure,
      });
      return;
    case 'StepSkipped':
      skipStep(state, event.data);
      return;
    case 'StepCarried':
    case 'SkipCarried':
      carryStep(state, event.data.step, event.type);
      return;
    case 'ChangeAsked':
      state.change = {
        asked: event.data,
        by: event.actor,
        askedAt: state.checkpoint?.commit ?? null,
        approvals: [],
      };
      state.ended = null;
      state.endedAt = null;
      return;
    case 'PlanReplaced':
      replacePlan(state);
      return;
    case 'StepRequeued':
      requeueStep(state, event.data);
      return;
    case 'StepInvalidated':
      invalidateStep(state, event.data);
      return;
    case 'RunRewound':
      state.checkpoint = event.data.checkpoint;
      state.line = lineAt(state, event.data.checkpoint);
      state.conflict = null;
      return;
    case 'WorkJoined':
      joinWork(state, event.data);
      return;
    case 'JoinConflicted':
      state.conflict = { ...event.data, settled: null };
      return;
    case 'JoinSettled': {
      const { conflict } = state;
      assertInvariant(conflict !== null, `there was no conflict about ${event.data.step}`);
      state.conflict = { ...conflict, settled: { take: event.data.take } };
      return;
    }
    case 'StepFailed':
      changeStep(state, event.data.step, event.type, {
        waiting: null,
        failure: event.data.failure,
      });
      return;
    case 'GatePassed':
      changeStep(state, event.data.step, event.type, {
        waiting: null,
        outputs: event.data.outputs,
        checkpoint: state.checkpoint,
      });
      return;
    case 'ApprovalRequested':
      requestApproval(state, event.at, event.data);
      return;
    case 'ApprovalDecided': {
      const { approvalId, ...decision } = event.data;
      const approval = approvalState(state, approvalId);
      changeApproval(state, approvalId, {
        decisions: [...approval.decisions, { ...decision, approver: event.actor.id, at: event.at }],
      });
      return;
    }
    case 'OverrideReviewed':
      changeApproval(state, event.data.approvalId, {
        review: { by: event.actor.id, note: event.data.note, at: event.at },
      });
      return;
    case 'ApprovalEscalated':
      changeApproval(state, event.data.approvalId, {
        escalated: true,
        expiresAtMs: event.data.expiresAtMs,
      });
      return;
    case 'ApprovalResolved':
      changeApproval(state, event.data.approvalId, {
        status: event.data.status,
        detail: event.data.detail,
        changed: event.data.changed ?? [],
      });
      if (event.data.status !== 'approved' && isOfChange(state, event.data.approvalId)) {
        state.change = null;
      }
      return;
    case 'AttemptStarted':
      startAttempt(state, event.at, event.data);
      return;
    case 'AttemptNeverStarted': {
      const { step: id, attempt: number } = event.data;
      // Nobody has read its prompt.
      const step = stepState(state, id);
      const messages = step.messages.map((message): ToldMessage => {
        const wasInIt = message.takenBy === number;
        return wasInIt ? { ...message, status: 'waiting', takenBy: null } : message;
      });
      // What an attempt before it left is given up as well, or it would wait for steps that need the workspace.
      const isGivenUp = step.invalidated && (step.anew || hasLeftWork(step));
      const next = isGivenUp ? 'restore' : step.next;
      const changes = { invalidated: false, messages, next };
      for (const approval of endAttempt(state, event, 'never-started', {}, changes).approvals) {
        changeApproval(state, approval, { usedBy: null });
      }
      return;
    }
    case 'AttemptReported':
      reportFacts(state, event.data);
      return;
    case 'AgentTold': {
      const { step: id, messageId, text, how } = event.data;
      const step = stepState(state, id);
      const told = { id: messageId, text, how, by: event.actor, at: event.at } as const;
      const message = { ...told, status: 'waiting', takenBy: null } as const;
      const messages = [...step.messages, message];
      state.steps.set(id, { ...step, messages });
      return;
    }
    case 'ToolDecided':
      changeGate(state, event.data.step, event.data.attempt, event.data.gateId, {
        status: 'decided',
        decision: event.data.decision,
        reason: event.data.reason,
      });
      return;
    case 'AttemptSucceeded':
      succeedAttempt(state, event);
      return;
    case 'AttemptFailed':
      endAttempt(state, event, 'failed', endFields(event.data));
      return;
    case 'AttemptRetrying':
      endAttempt(state, event, 'failed', endFields(event.data), {
        notBeforeMs: event.data.notBeforeMs,
        next: 'restore',
      });
      return;
    case 'AttemptInterrupted': {
      const { detail, exitCode = null, output = null, usage = null } = event.data;
      const failure = { code: 'interrupted', message: detail, hint: null };
      const fields = endFields({ failure, exitCode, output, usage, checks: [], setAside: null });
      endAttempt(state, event, 'interrupted', fields);
      return;
    }
    case 'AttemptExhausted':
      endAttempt(state, event, 'interrupted', endFields(event.data), {
        waiting: { reason: 'budget_exceeded' },
        next: 'continue',
      });
      return;
    case 'AttemptCanceled':
      endAttempt(state, event, 'canceled', endFields(event.data));
      return;
    case 'AttemptSuperseded':
      endAttempt(state, event, 'superseded', endFields(event.data), { invalidated: false });
      return;
    default:
      unreachable(event);
  }
}

function endApply(state: RunState, at: string, came: Pick<Applied, 'commit' | 'failure'>): void {
  const { applying } = state;
  assertInvariant(applying !== null, 'nothing was being applied');
  const { as, branch } = applying.asked;
  state.applied = [...state.applied, { as, branch, ...came, by: applying.by, at }];
  state.applying = null;
}

function changeStep(
  state: RunState,
  id: StepId,
  event: StepTransitionEvent,
  changes: Partial<StepState>,
): void {
  const step = stepState(state, id);
  state.steps.set(id, { ...step, ...changes, status: requireStatusAfter(id, step.status, event) });
}

function changeApproval(state: RunState, id: string, changes: Partial<ApprovalState>): void {
  state.approvals.set(id, { ...approvalState(state, id), ...changes });
}

/** The time that a run was paused counts for no deadline. */
function moveDeadlines(state: RunState, heldMs: number): void {
  for (const { id, status, expiresAtMs, escalation } of state.approvals.values()) {
    if (status !== 'open') continue;
    changeApproval(state, id, {
      expiresAtMs: expiresAtMs === null ? null : expiresAtMs + heldMs,
      escalation: escalation === null ? null : { ...escalation, atMs: escalation.atMs + heldMs },
    });
  }
}

function cancelSteps(state: RunState): void {
  for (const step of state.steps.values()) {
    if (step.status === 'succeeded' || step.status === 'skipped' || step.status === 'canceled') {
      continue;
    }
    const nothing = { waiting: null, granted: [], notBeforeMs: null };
    changeStep(state, step.id, 'RunCanceled', nothing);
  }
}

/** The line without what came after `checkpoint`. */
function lineAt(state: RunState, checkpoint: Checkpoint): Made | null {
  let at = state.line;
  while (at !== null && at.checkpoint.commit !== checkpoint.commit) at = at.before;
  return at;
}

/** A requeue by a person opens the run again and gives the step its retries back. */
function requeueStep(state: RunState, data: RunEventData['StepRequeued']): void {
  const step = stepState(state, data.step);
  const afterInterrupt = data.cause === 'retry' || data.cause === 'resume';
  const byPerson = afterInterrupt && !data.automatic;
  changeStep(state, data.step, 'StepRequeued', {
    waiting: null,
    failure: null,
    granted: [],
    notBeforeMs: null,
    next: data.mode,
    anew: false,
    tries: byPerson ? 0 : step.tries,
    automaticResumes: byPerson ? 0 : step.automaticResumes + (afterInterrupt ? 1 : 0),
  });
  if (byPerson) {
    state.ended = null;
    state.endedAt = null;
  }
}

/** A run begins as it finds the workspace, or at the checkpoint of the one that it was forked off. */
function beginAt(state: RunState, checkpoint: Checkpoint): void {
  const { forkedFrom = null } = state.created;
  state.checkpoint = forkedFrom?.checkpoint ?? checkpoint;
  for (const made of forkedFrom?.line ?? []) state.line = { ...made, before: state.line };
}

function carryStep(state: RunState, id: StepId, event: 'StepCarried' | 'SkipCarried'): void {
  const carried = state.created.forkedFrom?.steps.find(({ step }) => step === id);
  assertInvariant(carried !== undefined, `run ${state.runId} has taken over no step ${id}`);
  const { skipped, skipReason, outputs, checkpoint, attempt } = carried;
  const attempts: readonly AttemptState[] =
    attempt === null
      ? []
      : [
          {
            ...attempt,
            ...{ number: 1, status: 'succeeded', epoch: 0, mode: 'fresh', sandbox: 'bubblewrap' },
            lane: false,
            ...{ approvals: [], session: null, versions: null, model: null, resumedFrom: null },
            ...{ checkpoint, setAside: null, usage: null, failure: null, reportedSeq: 0 },
            ...{ gates: [], toolCalls: 0 },
          },
        ];
  changeStep(state, id, event, { skipped, skipReason, outputs, checkpoint, attempts });
}

function isOfChange(state: RunState, approvalId: string): boolean {
  return state.change?.approvals.includes(approvalId) === true;
}

function skipStep(state: RunState, data: RunEventData['StepSkipped']): void {
  const { step, cause, reason = null } = data;
  if (cause === 'condition') {
    changeStep(state, step, 'StepSkipped', { skipped: cause });
    return;
  }
  changeStep(state, step, 'StepSkipped', {
    ...{ skipped: cause, skipReason: reason, waiting: null, failure: null, granted: [] },
    ...{ next: 'restore', outputs: null },
    messages: settledMessages(stepState(state, step), { status: 'missed' }),
  });
  state.change = null;
}

/** Steps of the same name keep what they have; one that comes back goes on counting its attempts. */
function replacePlan(state: RunState): void {
  const change = state.change?.asked.change;
  assertInvariant(change?.type === 'replan', `run ${state.runId} was asked for no other plan`);
  const { planId, revision, digest, plan, inputs } = change;
  const before = state.steps;
  const old = state.created.plan;
  const now = stepById(plan);
  const gone = [...before.values()]
    .filter(({ id }) => !now.has(id))
    .map((step) => ({ step, planned: planStep(old, step.id) }));
  const known = [...state.retired, ...gone];
  state.created = { ...state.created, planId, revision, digest, plan, inputs };
  state.steps = StepTable.of(plan, (id) => {
    const earlier = known.find(({ step }) => step.id === id)?.step;
    return before.get(id) ?? { ...newStepState(id), attempts: earlier?.attempts ?? [] };
  });
  state.retired = known.filter(({ step }) => !now.has(step.id));
  // What a step has made that is not part of the plan any more does not become part of the run.
  state.unjoined = state.unjoined.filter(({ step }) => now.has(step));
  if (state.conflict !== null && !now.has(state.conflict.step)) state.conflict = null;
  state.change = null;
}

function invalidateStep(state: RunState, data: RunEventData['StepInvalidated']): void {
  const step = stepState(state, data.step);
  const anew = data.anew ?? false;
  const sentBack = data.step === data.cause && !anew;
  changeStep(state, data.step, 'StepInvalidated', {
    waiting: null,
    failure: null,
    granted: [],
    skipped: null,
    skipReason: null,
    outputs: null,
    invalidated: step.status === 'running',
    feedback: sentBack ? [...step.feedback, data.reason] : step.feedback,
    rejections: data.gate ? step.rejections + 1 : step.rejections,
    tries: 0,
    anew,
    ...(anew ? { automaticResumes: 0 } : {}),
  });
  if (anew) {
    state.ended = null;
    state.endedAt = null;
    // What it has made is given up.
    state.unjoined = state.unjoined.filter(({ step: id }) => id !== data.step);
    if (state.conflict?.step === data.step) state.conflict = null;
  }
}

/** In plan order; what the step had there before is part of it. */
function keepUnjoined(
  state: RunState,
  step: StepId,
  base: Checkpoint,
  checkpoint: Checkpoint,
): void {
  const others = state.unjoined.filter((each) => each.step !== step);
  if (base.commit === checkpoint.commit) {
    state.unjoined = others;
    return;
  }
  const order = state.created.plan.steps.map(({ id }) => id);
  state.unjoined = [...others, { step, base, checkpoint }].sort(
    (a, b) => order.indexOf(a.step) - order.indexOf(b.step),
  );
}

function joinWork(state: RunState, { step, checkpoint }: RunEventData['WorkJoined']): void {
  assertInvariant(
    state.unjoined.some((each) => each.step === step),
    `step ${step} has nothing to join`,
  );
  state.unjoined = state.unjoined.filter((each) => each.step !== step);
  state.conflict = null;
  state.line = { step, checkpoint, before: state.line };
  state.checkpoint = checkpoint;
}

function requestApproval(
  state: RunState,
  at: string,
  data: RunEventData['ApprovalRequested'],
): void {
  const { approvalId, step, escalation = null, ...asked } = data;
  assertInvariant(!state.approvals.has(approvalId), `approval ${approvalId} was asked for twice`);
  state.approvals.set(approvalId, {
    ...asked,
    id: approvalId,
    step,
    status: 'open',
    requestedAt: at,
    escalation,
    escalated: false,
    askedAt: state.checkpoint?.commit ?? null,
    decisions: [],
    usedBy: null,
    detail: null,
    changed: [],
    review: null,
  });
  // The step waits for what it waited for; these are asked for beside that.
  if (data.kind === 'override') return;
  if (data.kind === 'skip' || data.kind === 'replan') {
    assertInvariant(state.change !== null, `no change asks for ${approvalId}`);
    const { approvals } = state.change;
    state.change = { ...state.change, approvals: [...approvals, approvalId] };
    return;
  }
  if (data.gateId === null) {
    changeStep(state, step, 'ApprovalRequested', {
      waiting: { reason: 'approval', approvalId },
      subjectDigest: data.subjectDigest,
      verdict: {
        verdict: 'requires_approval',
        why: data.why,
        requires: data.requires,
        policyDigest: data.policyDigest,
        risk: data.risk,
      },
    });
    return;
  }
  changeStep(state, step, 'ApprovalRequested', {});
  const attempt = lastAttempt(stepState(state, step));
  assertInvariant(attempt !== undefined, `step ${step} asks for a tool without an attempt`);
  changeGate(state, step, attempt.number, data.gateId, { status: 'asked' });
}

function startAttempt(state: RunState, at: string, data: RunEventData['AttemptStarted']): void {
  const { step: id, attempt: number } = data;
  const step = stepState(state, id);
  assertInvariant(
    number === step.attempts.length + 1,
    `step ${id}: attempt ${String(number)} follows ${String(step.attempts.length)} others`,
  );
  const attempt: AttemptState = {
    number,
    status: 'running',
    epoch: data.epoch,
    startedAt: at,
    endedAt: null,
    mode: data.mode,
    sandbox: data.sandbox,
    approvals: data.approvals,
    session: data.session,
    versions: data.versions ?? null,
    model: null,
    resumedFrom: data.resumedFrom,
    from: null,
    lane: data.lane ?? false,
    inputCheckpoint: data.inputCheckpoint,
    checkpoint: null,
    setAside: null,
    exitCode: null,
    usage: null,
    output: null,
    failure: null,
    checks: [],
    artifacts: [],
    reportedSeq: 0,
    gates: [],
    toolCalls: 0,
  };
  changeStep(state, id, 'AttemptStarted', {
    failure: null,
    attempts: [...step.attempts, attempt],
    verdict: data.verdict,
    granted: [],
    notBeforeMs: null,
    // Its prompt holds them.
    messages: settledMessages(step, { status: 'taken', takenBy: number }),
  });
  for (const approvalId of data.approvals) changeApproval(state, approvalId, { usedBy: number });
}

/** An attempt before the live one was interrupted, and nothing has set its work back since. */
function hasLeftWork({ attempts }: StepState): boolean {
  const worked = attempts.findLast(
    ({ status }) => status !== 'never-started' && status !== 'running',
  );
  return worked?.status === 'interrupted';
}

/** Messages that wait come to their end, as `change` says. */
function settledMessages(
  { messages }: StepState,
  change: Partial<ToldMessage>,
): readonly ToldMessage[] {
  return messages.map((message) =>
    message.status === 'waiting' ? { ...message, ...change } : message,
  );
}

function changeAttempt(
  state: RunState,
  id: StepId,
  number: number,
  changes: Partial<AttemptState>,
): AttemptState {
  const step = stepState(state, id);
  const attempt = step.attempts[number - 1];
  assertInvariant(attempt !== undefined, `step ${id} has no attempt ${String(number)}`);
  assertInvariant(
    attempt.status === 'running',
    `step ${id}: attempt ${String(number)} has ended as ${attempt.status}`,
  );
  const changed = { ...attempt, ...changes };
  state.steps.set(id, { ...step, attempts: step.attempts.with(number - 1, changed) });
  return changed;
}

function changeGate(
  state: RunState,
  id: StepId,
  number: number,
  gateId: string,
  changes: Partial<GateState>,
): void {
  const gates = stepState(state, id).attempts[number - 1]?.gates ?? [];
  assertInvariant(
    gates.some((gate) => gate.gateId === gateId),
    `step ${id}: no gate ${gateId} was raised`,
  );
  changeAttempt(state, id, number, {
    gates: gates.map((gate) => (gate.gateId === gateId ? { ...gate, ...changes } : gate)),
  });
}

/** Tool calls that people were asked about under another policy wait to be judged by the new one. */
function askToolsAgain(state: RunState): void {
  for (const step of state.steps.activeSteps()) {
    const live = liveAttempt(step);
    if (live === undefined) continue;
    changeAttempt(state, step.id, live.number, {
      gates: live.gates.map((gate) =>
        gate.status === 'asked' ? { ...gate, status: 'raised' } : gate,
      ),
    });
  }
}

function reportFacts(state: RunState, data: RunEventData['AttemptReported']): void {
  const attempt = stepState(state, data.step).attempts[data.attempt - 1];
  assertInvariant(attempt !== undefined, `step ${data.step} has no such attempt`);
  let { session, model, usage, gates, toolCalls, reportedSeq } = attempt;
  for (const fact of data.facts) {
    reportedSeq = fact.seq;
    if (fact.type === 'session') {
      session = fact.token;
      model = fact.model;
    } else if (fact.type === 'usage') usage = fact.usage;
    else if (fact.type === 'tool-started') toolCalls += 1;
    else if (fact.type === 'message' && fact.checkpoint !== null && session !== null) {
      session = { ...session, at: fact.checkpoint };
    } else if (fact.type === 'gate-raised') {
      const { gateId, callId, tool, name, title, input } = fact;
      const raised = { gateId, callId, tool, name, title, input };
      gates = [...gates, { ...raised, status: 'raised', decision: null, reason: null }];
    } else if (fact.type === 'gate-answered') {
      gates = gates.map((gate) =>
        gate.gateId === fact.gateId ? { ...gate, status: 'answered' } : gate,
      );
    }
  }
  const taken = data.facts.flatMap((fact) => (fact.type === 'told' ? [fact.messageId] : []));
  if (taken.length > 0) {
    const step = stepState(state, data.step);
    const messages = step.messages.map((message) =>
      taken.includes(message.id)
        ? { ...message, status: 'taken' as const, takenBy: data.attempt }
        : message,
    );
    state.steps.set(data.step, { ...step, messages });
  }
  changeAttempt(state, data.step, data.attempt, {
    ...{ session, model, usage, gates, toolCalls, reportedSeq },
  });
}

type EndEvent = Extract<
  RunEvent,
  {
    type:
      | 'AttemptNeverStarted'
      | 'AttemptFailed'
      | 'AttemptRetrying'
      | 'AttemptInterrupted'
      | 'AttemptExhausted'
      | 'AttemptCanceled'
      | 'AttemptSuperseded'
      | 'AttemptSucceeded';
  }
>;

function endFields(end: AttemptEnd): Partial<AttemptState> {
  const { failure, exitCode, output, usage, checks, setAside } = end;
  return { failure, exitCode, output, checks, setAside, ...(usage === null ? {} : { usage }) };
}

function endAttempt(
  state: RunState,
  event: EndEvent,
  status: AttemptStatus,
  fields: Partial<AttemptState>,
  stepChanges: Partial<StepState> = {},
): AttemptState {
  const { step: id, attempt: number } = event.data;
  const ended = changeAttempt(state, id, number, { ...fields, status, endedAt: event.at });
  const step = stepState(state, id);
  changeStep(state, id, event.type, {
    failure: ended.failure,
    tries: status === 'failed' ? step.tries + 1 : step.tries,
    ...stepChanges,
  });
  return ended;
}

function succeedAttempt(
  state: RunState,
  event: Extract<RunEvent, { type: 'AttemptSucceeded' }>,
): void {
  const { exitCode, checkpoint, outputs, output, usage, checks, artifacts } = event.data;
  endAttempt(
    state,
    event,
    'succeeded',
    {
      exitCode,
      checkpoint,
      output,
      checks,
      artifacts,
      ...(usage === null ? {} : { usage }),
    },
    {
      ...{ outputs, checkpoint, feedback: [] },
      messages: settledMessages(stepState(state, event.data.step), { status: 'missed' }),
    },
  );
  // Others run beside writers: what they saw may be older than what the run has by now.
  if (!isWriter(planStep(state.created.plan, event.data.step))) return;
  const attempt = lastAttempt(stepState(state, event.data.step));
  if (attempt?.lane === true) {
    keepUnjoined(state, event.data.step, attempt.inputCheckpoint, checkpoint);
    return;
  }
  state.line = { step: event.data.step, checkpoint, before: state.line };
  state.checkpoint = checkpoint;
}
