/** Facts, commands and events of runs for tests, short enough to read as a story. */
import type {
  AttemptReportEnd,
  CommandContext,
  Evaluation,
  RunCommand,
} from '../machine/commands.ts';
import type {
  Actor,
  AgentFact,
  ApprovalRequirement,
  AttemptEnd,
  Checkpoint,
  Failure,
  Fork,
  PolicyVerdict,
  ResumeToken,
  RunEvent,
  RunEventData,
  RunEventType,
  Verdict,
} from '../machine/events.ts';
import type { Plan, StepId } from '../plan/plan.ts';

export const TEST_RUN = 'run_1';
export const TEST_AT = '2026-01-02T03:04:05.000Z';
/** Milliseconds since the epoch, like every number of time here. */
export const TEST_NOW_MS = 1000;
export const TEST_EPOCH = 7;

export const TEST_ENGINE: Actor = { kind: 'engine', id: 'engine' };
/** Asks for the runs. */
export const RITA: Actor = { kind: 'person', id: 'rita' };
export const ANN: Actor = { kind: 'person', id: 'ann' };
export const BOB: Actor = { kind: 'person', id: 'bob' };

export function testContext(
  actor: Actor = TEST_ENGINE,
  nowMs: number = TEST_NOW_MS,
): CommandContext {
  return { at: TEST_AT, nowMs, actor };
}

export function testCommit(name: string): Checkpoint {
  return { commit: `commit-${name}`, tree: `tree-${name}` };
}

export function testToken(session: string, at: string | null = null): ResumeToken {
  return { adapter: 'scripted', adapterVersion: '1', programVersion: '1', session, at };
}

export const ANYBODY: ApprovalRequirement = {
  roles: [],
  people: [],
  count: 1,
  excludeRequester: false,
  assurance: 'session',
};

export function testVerdict(
  verdict: Verdict,
  requires: Partial<ApprovalRequirement> = {},
  policyDigest = 'policy-1',
): PolicyVerdict {
  const why = [{ rule: `rule-${verdict}`, text: `the rule says ${verdict}` }];
  return { verdict, why, requires: { ...ANYBODY, ...requires }, policyDigest, risk: 'medium' };
}

export const ALLOW: PolicyVerdict = testVerdict('allow');
export const ASK: PolicyVerdict = testVerdict('requires_approval');
export const DENY: PolicyVerdict = testVerdict('deny');

export function testFailure(code = 'exit_code'): Failure {
  return { code, message: `it ended with ${code}`, hint: 'look at its output' };
}

export function testEnd(failure: Failure = testFailure()): AttemptEnd {
  return { failure, exitCode: 1, output: null, usage: null, checks: [], setAside: null };
}

export function testSuccess(
  commit: Checkpoint = testCommit('0'),
): Omit<RunEventData['AttemptSucceeded'], 'step' | 'attempt'> {
  const nothing = { output: null, usage: null, checks: [], artifacts: [], changedPaths: 0 };
  return { exitCode: 0, checkpoint: commit, outputs: {}, ...nothing };
}

export const SUCCEEDED: AttemptReportEnd = { outcome: 'succeeded', ...testSuccess() };
export const FAILED: AttemptReportEnd = { outcome: 'failed', retryable: false, ...testEnd() };
export const FAILED_RETRYABLE: AttemptReportEnd = { ...FAILED, retryable: true };
export const EXHAUSTED: AttemptReportEnd = { outcome: 'exhausted', ...testEnd() };
export const STOPPED: AttemptReportEnd = { outcome: 'stopped', ...testEnd(testFailure('stopped')) };
export const GONE: AttemptReportEnd = { outcome: 'interrupted', detail: 'its host is gone' };
export const NEVER_STARTED: AttemptReportEnd = { outcome: 'never-started' };

export function gateRaised(seq: number, gateId: string): AgentFact {
  const call = { gateId, callId: `call-${gateId}`, tool: 'exec', name: 'Bash', title: 'make' };
  return { type: 'gate-raised', seq, at: TEST_AT, ...call, input: { command: 'make' } };
}

export function gateAnswered(
  seq: number,
  gateId: string,
  decision: 'allow' | 'deny' = 'allow',
): AgentFact {
  return { type: 'gate-answered', seq, at: TEST_AT, gateId, decision };
}

export function told(seq: number, messageId: string): AgentFact {
  return { type: 'told', seq, at: TEST_AT, messageId };
}

type StartEvaluation = Extract<Evaluation, { outcome: 'start' }>;
type Asked = RunEventData['ApprovalRequested'];

function subjectOf(subjectDigest: string): Pick<StartEvaluation, 'subject' | 'subjectDigest'> {
  return { subject: { what: subjectDigest }, subjectDigest };
}

/** Evaluations: `digest` names what would run; requests get the id `apr_1`. */
export function toStart(
  verdict: PolicyVerdict,
  digest = 'digest-1',
  slot: Partial<StartEvaluation> = {},
): Evaluation {
  const asked = { approvalId: 'apr_1', expiresAtMs: null };
  return { outcome: 'start', verdict, ...subjectOf(digest), ...asked, ...slot };
}

export function toGate(
  requires: Partial<ApprovalRequirement> = {},
  slot: Partial<Extract<Evaluation, { outcome: 'gate' }>> = {},
): Evaluation {
  const asked = { approvalId: 'apr_1', expiresAtMs: null, requires: { ...ANYBODY, ...requires } };
  return { outcome: 'gate', verdict: ALLOW, ...subjectOf('digest-1'), ...asked, ...slot };
}

type Of<T extends RunCommand['type']> = Extract<RunCommand, { type: T }>;
type RestOf<T extends RunCommand['type']> = Partial<Omit<Of<T>, 'type'>>;

export const COMMANDS = {
  create: (plan: Plan, forkedFrom: Fork | null = null): RunCommand => ({
    type: 'CreateRun',
    created: { ...createdData(plan), ...(forkedFrom === null ? {} : { forkedFrom }) },
  }),
  startRun: (): RunCommand => ({ type: 'StartRun', started: startedData() }),
  failStart: (): RunCommand => ({ type: 'FailRunStart', failure: testFailure('no_commit') }),
  evaluate: (step: StepId, evaluation: Evaluation = toStart(ALLOW)): RunCommand => ({
    type: 'EvaluateStep',
    step,
    evaluation,
  }),
  start: (step: StepId, rest: RestOf<'StartStep'> = {}): RunCommand => ({
    type: 'StartStep',
    step,
    ...{ checkpoint: 'commit-0', subjectDigest: 'digest-1', verdict: ALLOW, epoch: TEST_EPOCH },
    ...{ sandbox: 'bubblewrap', session: null, versions: null, ...rest },
  }),
  report: (
    step: StepId,
    attempt: number,
    facts: readonly AgentFact[],
    epoch: number = TEST_EPOCH,
  ): RunCommand => ({ type: 'ReportAttempt', step, attempt, epoch, facts }),
  decideGate: (
    step: StepId,
    attempt: number,
    gateId: string,
    verdict: PolicyVerdict,
    rest: RestOf<'DecideGate'> = {},
  ): RunCommand => ({
    ...{ type: 'DecideGate', step, attempt, gateId, verdict, epoch: TEST_EPOCH },
    ...{ ...subjectOf('digest-tool'), approvalId: 'apr_tool', expiresAtMs: null, ...rest },
  }),
  end: (
    step: StepId,
    attempt: number,
    end: AttemptReportEnd,
    epoch: number = TEST_EPOCH,
  ): RunCommand => ({
    type: 'EndAttempt',
    step,
    attempt,
    epoch,
    end,
  }),
  approve: (approvalId: string, rest: RestOf<'DecideApproval'> = {}): RunCommand => ({
    ...{ type: 'DecideApproval', approvalId, decision: 'approve', reason: 'fine' },
    ...{ subjectDigest: 'digest-1', roles: [], assurance: 'session', form: {}, ...rest },
  }),
  reject: (approvalId: string, rest: RestOf<'DecideApproval'> = {}): RunCommand =>
    COMMANDS.approve(approvalId, { decision: 'reject', reason: 'not like this', ...rest }),
  override: (step: StepId, rest: RestOf<'OverrideStep'> = {}): RunCommand => ({
    ...{ type: 'OverrideStep', step, approvalId: 'apr_o', startDigest: 'digest-1', count: 1 },
    ...{ subject: { kind: 'override', start: rest.startDigest ?? 'digest-1' } },
    ...{ subjectDigest: 'digest-o', reason: 'the approvers are all away today' },
    ...{ roles: ['admin'], assurance: 'session', expiresAtMs: 2000, ...rest },
  }),
  review: (approvalId: string): RunCommand => ({
    ...{ type: 'ReviewOverride', approvalId, note: 'it was right' },
  }),
  tick: (): RunCommand => ({ type: 'Tick' }),
  cancel: (): RunCommand => ({ type: 'CancelRun', reason: 'enough' }),
  applyResult: (result: Checkpoint | null, rest: Partial<Applying> = {}): RunCommand => ({
    type: 'ApplyResult',
    asked: applyingData(result ?? testCommit('none'), rest),
  }),
  endApply: (applied: boolean): RunCommand => ({
    type: 'EndApply',
    outcome: applied
      ? { applied, commit: 'applied-commit' }
      : { applied, failure: testFailure('conflicts') },
  }),
  restart: (step: StepId): RunCommand => ({ type: 'RestartFrom', step, reason: 'look again' }),
  tell: (step: StepId, how: 'now' | 'restart' = 'now', messageId: string = 'm1'): RunCommand => ({
    ...{ type: 'TellAgent', step, messageId, text: 'Use tabs.', how },
  }),
  skip: (step: StepId, rest: RestOf<'ChangeRun'> = {}): RunCommand => ({
    ...{ type: 'ChangeRun', change: { type: 'skip', step }, verdict: ALLOW, reason: 'flaky' },
    ...{ ...subjectOf('digest-1'), approvalId: 'apr_s', ...rest },
  }),
  /** To a plan whose digest is its text. */
  replan: (plan: Plan, rest: RestOf<'ChangeRun'> & { goOn?: StepId } = {}): RunCommand => {
    const { goOn = null, ...others } = rest;
    const named = { planId: 'plan_1', revision: 2, digest: JSON.stringify(plan) };
    return {
      ...{ type: 'ChangeRun', verdict: ALLOW, reason: 'better so' },
      change: { type: 'replan', ...named, plan, inputs: {}, goOn },
      ...{ ...subjectOf('digest-1'), approvalId: 'apr_p', ...others },
    };
  },
  pause: (): RunCommand => ({ type: 'PauseRun', reason: 'lunch' }),
  resume: (step: StepId | null = null): RunCommand => ({ type: 'ResumeRun', step, reason: null }),
  settle: (take?: StepId, step: StepId | null = null): RunCommand => ({
    ...{ type: 'ResumeRun', step, reason: null, ...(take === undefined ? {} : { take }) },
  }),
  join: (
    step: StepId,
    onto: Checkpoint | null,
    joined: Checkpoint | null,
    files: readonly string[] = [],
  ): RunCommand => ({
    ...{ type: 'JoinWork', step, onto: onto?.commit ?? '' },
    outcome:
      joined === null
        ? { joined: false, files: ['a.txt'] }
        : { joined: true, checkpoint: joined, files },
  }),
  retry: (step: StepId | null = null): RunCommand => ({ type: 'RetryRun', step, reason: null }),
} as const;

function createdData(plan: Plan): RunEventData['RunCreated'] {
  const of = { planId: 'plan_1', revision: 1, digest: 'plan-digest', plan, feature: null };
  const base = { inputs: {}, baseCommit: 'base', policyDigest: 'policy-1' };
  return { ...of, ...base, requesterRoles: ['operator'] };
}

type Applying = RunEventData['ResultApplying'];

function applyingData(result: Checkpoint, rest: Partial<Applying> = {}): Applying {
  return {
    ...{ as: 'branch', branch: 'ccdash/run_1', from: null, result, tree: result.tree },
    ...{ message: 'the result', summaryDigest: 'summary-1', reason: null, ...rest },
  };
}

function startedData(): RunEventData['RunStarted'] {
  return { checkpoint: testCommit('0'), notCarried: [] };
}

/** An event as tests write it: `actor` is the engine where it does not matter. */
export function testEvent<T extends RunEventType>(
  type: T,
  data: RunEventData[T],
  actor: Actor = TEST_ENGINE,
): RunEvent {
  return { type, at: TEST_AT, actor, data } as RunEvent;
}

type DataOf<T extends RunEventType> = Partial<RunEventData[T]>;

export const EVENTS = {
  created: (plan: Plan): RunEvent => testEvent('RunCreated', createdData(plan), RITA),
  runStarted: (): RunEvent => testEvent('RunStarted', startedData()),
  cancelRequested: (): RunEvent => testEvent('RunCancelRequested', { reason: 'enough' }, RITA),
  applying: (result: Checkpoint): RunEvent =>
    testEvent('ResultApplying', applyingData(result), RITA),
  applied: (): RunEvent =>
    testEvent('ResultApplied', { branch: 'ccdash/run_1', commit: 'applied-commit' }),
  notApplied: (): RunEvent =>
    testEvent('ResultNotApplied', { branch: 'ccdash/run_1', failure: testFailure('conflicts') }),
  told: (
    step: StepId,
    how: 'now' | 'restart' = 'now',
    attempt: number = 1,
    messageId: string = 'm1',
  ): RunEvent => testEvent('AgentTold', { step, attempt, messageId, text: 'Use tabs.', how }, RITA),
  paused: (atMs: number): RunEvent => testEvent('RunPaused', { reason: 'lunch', atMs }, RITA),
  unpaused: (heldMs: number): RunEvent => testEvent('RunUnpaused', { reason: null, heldMs }, RITA),
  runCanceled: (): RunEvent => testEvent('RunCanceled', { reason: 'enough' }),
  ended: (status: 'succeeded' | 'failed'): RunEvent => testEvent('RunEnded', { status }),
  readied: (step: StepId, rest: DataOf<'StepReadied'> = {}): RunEvent =>
    testEvent('StepReadied', {
      ...{ step, subjectDigest: 'digest-1', verdict: ALLOW, approvals: [], ...rest },
    }),
  denied: (step: StepId): RunEvent =>
    testEvent('StepDenied', { step, subjectDigest: 'digest-1', verdict: DENY }),
  blocked: (step: StepId): RunEvent =>
    testEvent('StepBlocked', {
      step,
      reason: 'configuration',
      failure: testFailure('missing_output'),
    }),
  skipped: (step: StepId): RunEvent => testEvent('StepSkipped', { step, cause: 'condition' }),
  requeued: (step: StepId, rest: DataOf<'StepRequeued'> = {}): RunEvent =>
    testEvent('StepRequeued', {
      ...{ step, cause: 'retry', mode: 'restore', reason: null, automatic: false, ...rest },
    }),
  invalidated: (step: StepId, rest: DataOf<'StepInvalidated'> = {}): RunEvent =>
    testEvent('StepInvalidated', {
      ...{ step, cause: step, reason: 'ann rejected it: not like this', gate: false, ...rest },
    }),
  joined: (step: StepId, checkpoint: Checkpoint, rest: DataOf<'WorkJoined'> = {}): RunEvent =>
    testEvent('WorkJoined', { step, checkpoint, ...rest }),
  joinConflicted: (step: StepId, onto: Checkpoint, besides: readonly StepId[]): RunEvent =>
    testEvent('JoinConflicted', { step, onto, with: besides, files: ['a.txt'] }),
  joinSettled: (step: StepId, take: StepId | null = null): RunEvent =>
    testEvent('JoinSettled', { step, take }),
  rewound: (step: StepId, checkpoint: Checkpoint): RunEvent =>
    testEvent('RunRewound', { step, checkpoint }),
  stepFailed: (step: StepId, failure: Failure): RunEvent =>
    testEvent('StepFailed', { step, failure }),
  gatePassed: (step: StepId, rest: DataOf<'GatePassed'> = {}): RunEvent =>
    testEvent('GatePassed', { step, approvalId: 'apr_1', outputs: {}, ...rest }),
  asked: (step: StepId, rest: Partial<Asked> = {}): RunEvent =>
    testEvent('ApprovalRequested', {
      ...{
        step,
        approvalId: 'apr_1',
        kind: 'start',
        ...subjectOf(rest.subjectDigest ?? 'digest-1'),
      },
      ...{ why: ASK.why, policyDigest: 'policy-1', requires: ANYBODY, expiresAtMs: null },
      ...{ gateId: null, risk: 'medium', ...rest },
    }),
  decided: (approvalId: string, approver: Actor, rest: DataOf<'ApprovalDecided'> = {}): RunEvent =>
    testEvent(
      'ApprovalDecided',
      {
        ...{ approvalId, decision: 'approve', reason: 'fine', subjectDigest: 'digest-1' },
        ...{ roles: [], assurance: 'session', selfApproved: false, form: {}, ...rest },
      },
      approver,
    ),
  resolved: (
    approvalId: string,
    status: RunEventData['ApprovalResolved']['status'],
    detail: string,
  ): RunEvent => testEvent('ApprovalResolved', { approvalId, status, detail }),
  /** It has changed since it was asked. */
  stale: (approvalId: string, changed: readonly string[]): RunEvent =>
    testEvent('ApprovalResolved', {
      ...{ approvalId, status: 'stale', changed },
      detail: `it has changed since it was asked: ${changed.join(', ')}`,
    }),
  escalated: (approvalId: string, expiresAtMs: number | null): RunEvent =>
    testEvent('ApprovalEscalated', { approvalId, expiresAtMs }),
  attemptStarted: (step: StepId, attempt: number, rest: DataOf<'AttemptStarted'> = {}): RunEvent =>
    testEvent('AttemptStarted', {
      ...{ step, attempt, epoch: TEST_EPOCH, subjectDigest: 'digest-1', verdict: ALLOW },
      ...{ approvals: [], inputCheckpoint: testCommit('0'), mode: 'fresh' },
      ...{ sandbox: 'bubblewrap', session: null, versions: null, resumedFrom: null, ...rest },
    }),
  neverStarted: (step: StepId, attempt: number): RunEvent =>
    testEvent('AttemptNeverStarted', { step, attempt }),
  reported: (step: StepId, attempt: number, facts: readonly AgentFact[]): RunEvent =>
    testEvent(
      'AttemptReported',
      { step, attempt, epoch: TEST_EPOCH, facts },
      { kind: 'agent', id: `${step}#${attempt}` },
    ),
  toolDecided: (
    step: StepId,
    gateId: string,
    decision: 'allow' | 'deny',
    rest: DataOf<'ToolDecided'> = {},
  ): RunEvent =>
    testEvent('ToolDecided', {
      ...{ step, attempt: 1, gateId, decision, reason: 'approved', verdict: null },
      ...{ approvalId: 'apr_tool', ...rest },
    }),
  succeeded: (step: StepId, attempt: number, rest: DataOf<'AttemptSucceeded'> = {}): RunEvent =>
    testEvent('AttemptSucceeded', { step, attempt, ...testSuccess(), ...rest }),
  failed: (step: StepId, attempt: number, rest: DataOf<'AttemptFailed'> = {}): RunEvent =>
    testEvent('AttemptFailed', { step, attempt, ...testEnd(), ...rest }),
  retrying: (step: StepId, attempt: number, notBeforeMs: number): RunEvent =>
    testEvent('AttemptRetrying', { step, attempt, ...testEnd(), notBeforeMs }),
  interrupted: (
    step: StepId,
    attempt: number,
    detail: string = 'its host is gone',
    known: DataOf<'AttemptInterrupted'> = {},
  ): RunEvent => testEvent('AttemptInterrupted', { step, attempt, detail, ...known }),
  canceled: (step: StepId, attempt: number, rest: DataOf<'AttemptCanceled'> = {}): RunEvent =>
    testEvent('AttemptCanceled', {
      ...{ step, attempt, ...testEnd(testFailure('stopped')), ...rest },
    }),
  superseded: (step: StepId, attempt: number, rest: DataOf<'AttemptSuperseded'> = {}): RunEvent =>
    testEvent('AttemptSuperseded', {
      ...{ step, attempt, ...testEnd(testFailure('stopped')), ...rest },
    }),
  /** A run whose workspace stands. */
  begun: (plan: Plan): readonly RunEvent[] => [EVENTS.created(plan), EVENTS.runStarted()],
  /** `step` in its first attempt. */
  running: (step: StepId): readonly RunEvent[] => [
    EVENTS.readied(step),
    EVENTS.attemptStarted(step, 1),
  ],
  done: (step: StepId): readonly RunEvent[] => [...EVENTS.running(step), EVENTS.succeeded(step, 1)],
} as const;
