import type { Json, JsonObject, RunEvent, RunEventData, RunEventType } from '@ccdash/core';
import { describe, expect, it } from 'vitest';
import { parsePlan } from '../plan/parse-plan.ts';
import { EVENT_UPCASTS, RUN_EVENT_TYPES, decodeRunEvent } from './events.ts';

const checkpoint = { commit: 'c1', tree: 't1' };
const failure = { code: 'exit_code', message: 'it ended with 1', hint: null };
const usage = { inputTokens: 10, outputTokens: null, cachedTokens: null, usd: 0.01 };
const output = { bytes: 3, sha256: 'ab', tail: ['ok'] };
const attempt = { step: 'a', attempt: 1 };
const verdict = {
  verdict: 'requires_approval',
  why: [{ rule: 'r1', text: 'writes' }],
  requires: {
    roles: ['approver'],
    people: [],
    count: 1,
    excludeRequester: false,
    assurance: 'session',
  },
  policyDigest: 'sha256:p',
  risk: 'high',
} as const;
const token = {
  adapter: 'scripted',
  adapterVersion: '1',
  programVersion: '1',
  session: 's',
  at: null,
};
const end = {
  failure,
  exitCode: 1,
  output,
  usage,
  checks: [{ check: 'exit', pass: false, evidence: 'was 1' }],
  setAside: null,
};
const fact = { seq: 1, at: '2026-01-01T00:00:00.000Z' };

/** A plan with every kind of step, check and prompt, as the compiler makes it. */
const plan = (() => {
  const reading = parsePlan(
    `version: 1
name: x
setup: { copy: [a] }
inputs: { b: { type: boolean, default: true } }
scope: { tools: [edit], write: ["src/**"], network: { hosts: [a.example] } }
steps:
  - { id: a, run: x }
  - { id: b, argv: [x, y], secrets: [T] }
  - { id: c, agent: claude, prompt: "x", output: { schema: { type: object } }, ext: { claude: [1] } }
  - { id: d, agent: codex, prompt: { file: p.md }, output: { schema: s.json }, budget: { turns: 3 } }
  - id: e
    validate:
      - exit: { step: a, equals: 0 }
      - paths: { only: [] }
      - file: { path: a.txt, matches: x }
      - schema: { output: a, schema: s.json }
      - number: { file: n.json, at: /a, max: 3 }
      - noSecrets: true
  - { id: f, approve: "Go?", form: { y: { type: number } }, onReject: { restart: a, max: 2 }, expires: 1d, by: { roles: [admin], inOrder: true }, escalate: { after: 1h, people: [ann] } }
`,
    { file: 'f' },
  );
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.plan;
})();

/** Data of each event type, with everything that may be left empty filled in somewhere. */
const dataByType: RunEventData = {
  RunCreated: {
    planId: 'p',
    revision: 1,
    digest: 'sha256:d',
    plan,
    feature: null,
    inputs: { b: true, n: 1, s: 'x' },
    baseCommit: 'c0',
    policyDigest: 'sha256:p',
    requesterRoles: ['admin'],
  },
  RunStarted: { checkpoint, notCarried: ['2 uncommitted files'] },
  RunStartFailed: { failure },
  RunRequeued: { reason: 'disk was full' },
  RunPaused: { reason: 'lunch', atMs: 1_800_000_000_000 },
  RunUnpaused: { reason: null, heldMs: 60_000 },
  PolicyChanged: { from: 'sha256:p', policyDigest: 'sha256:q' },
  RunCancelRequested: { reason: 'wrong plan' },
  RunCanceled: { reason: 'wrong plan' },
  ResultApplying: {
    as: 'squash',
    branch: 'main',
    from: 'c1',
    result: checkpoint,
    tree: 't1',
    message: 'Add limits',
    summaryDigest: 'sha256:s',
    reason: null,
  },
  ResultApplied: { branch: 'main', commit: 'c2' },
  ResultNotApplied: { branch: 'main', failure },
  RunEnded: { status: 'succeeded' },
  StepReadied: { step: 'a', subjectDigest: 'd', verdict, approvals: ['apr_1'] },
  StepDenied: { step: 'a', subjectDigest: 'd', verdict: { ...verdict, verdict: 'deny' } },
  StepBlocked: { step: 'a', reason: 'configuration', failure },
  StepCarried: { step: 'a' },
  SkipCarried: { step: 'a' },
  StepSkipped: { step: 'a', cause: 'decision', reason: 'flaky', approvals: ['apr'] },
  ChangeAsked: {
    change: {
      ...{ type: 'replan', planId: 'p', revision: 2, digest: 'sha256:e', plan },
      ...{ inputs: { n: 1 }, goOn: 'a' },
    },
    verdict,
    weakened: ['f'],
    seen: ['a'],
    reason: 'r',
  },
  PlanReplaced: { planId: 'p', revision: 2, digest: 'sha256:e', approvals: ['apr'] },
  StepRequeued: { step: 'a', cause: 'retry', mode: 'restore', reason: null, automatic: false },
  StepInvalidated: { step: 'a', cause: 'b', reason: 'it runs again', gate: false, anew: true },
  RunRewound: { step: 'a', checkpoint },
  WorkJoined: { step: 'a', checkpoint, conflicts: { files: ['f.txt'], take: null } },
  JoinConflicted: { step: 'a', onto: checkpoint, with: ['b'], files: ['f.txt'] },
  JoinSettled: { step: 'a', take: 'b' },
  StepFailed: { step: 'a', failure },
  GatePassed: { step: 'a', approvalId: 'apr_1', outputs: { version: '1' } },
  ApprovalRequested: {
    step: 'a',
    approvalId: 'apr_1',
    kind: 'tool',
    subjectDigest: 'd',
    subject: { deep: [{ x: null }] },
    why: [],
    policyDigest: 'p',
    requires: verdict.requires,
    expiresAtMs: 1_800_000_000_000,
    gateId: 'g1',
    risk: 'low',
  },
  ApprovalDecided: {
    approvalId: 'apr_1',
    decision: 'approve',
    reason: 'fine',
    subjectDigest: 'd',
    roles: ['approver'],
    assurance: 'passkey',
    selfApproved: true,
    form: {},
  },
  OverrideReviewed: { approvalId: 'apr_1', note: 'it was right' },
  ApprovalEscalated: { approvalId: 'apr_1', expiresAtMs: 1_800_000_000_000 },
  ApprovalResolved: { approvalId: 'apr_1', status: 'withdrawn', detail: 'the run was canceled' },
  AttemptStarted: {
    ...attempt,
    epoch: 1,
    subjectDigest: 'd',
    verdict,
    approvals: [],
    inputCheckpoint: checkpoint,
    mode: 'fresh',
    sandbox: 'bubblewrap',
    session: token,
    versions: { interface: 1, adapter: '1', sdk: '0.3.330', program: '2.1.330' },
    resumedFrom: 1,
    lane: true,
  },
  AttemptNeverStarted: attempt,
  AgentTold: { ...attempt, messageId: 'm', text: 'x', how: 'restart' },
  AttemptReported: {
    ...attempt,
    epoch: 1,
    facts: [
      { ...fact, type: 'session', token, model: null },
      { ...fact, type: 'message', text: 'x', checkpoint: null, agentPath: ['sub'] },
      {
        ...fact,
        type: 'tool-started',
        callId: 'c',
        tool: 'exec',
        name: 'Bash',
        title: 'ls',
        input: [1],
        agentPath: [],
      },
      { ...fact, type: 'tool-ended', callId: 'c', status: 'denied', summary: '', checkpoint: null },
      {
        ...fact,
        type: 'gate-raised',
        gateId: 'g',
        callId: 'c',
        tool: 'exec',
        name: 'Bash',
        title: 'ls',
        input: null,
      },
      { ...fact, type: 'gate-answered', gateId: 'g', decision: 'deny' },
      { ...fact, type: 'usage', usage },
      { ...fact, type: 'notice', level: 'warn', text: 'slow' },
      { ...fact, type: 'extension', adapter: 'scripted', data: { x: 1 } },
    ],
  },
  ToolDecided: {
    ...attempt,
    gateId: 'g',
    decision: 'allow',
    reason: '',
    verdict: null,
    approvalId: null,
  },
  AttemptSucceeded: {
    ...attempt,
    exitCode: 0,
    checkpoint,
    outputs: { a: 1 },
    output: null,
    usage: null,
    checks: [],
    artifacts: [{ name: 'a', sha256: 'b', bytes: 0, mediaType: 'text/plain' }],
    changedPaths: 2,
  },
  AttemptFailed: { ...attempt, ...end },
  AttemptRetrying: { ...attempt, ...end, notBeforeMs: 1_800_000_000_000 },
  AttemptInterrupted: { ...attempt, detail: 'its host is gone' },
  AttemptCanceled: { ...attempt, ...end, setAside: checkpoint },
  AttemptExhausted: { ...attempt, ...end },
  AttemptSuperseded: { ...attempt, ...end, exitCode: null, output: null, usage: null },
};

function eventOf(type: RunEventType): RunEvent {
  const actor = { kind: 'engine', id: 'engine' };
  return { type, at: fact.at, actor, data: dataByType[type] } as RunEvent;
}

/** As it comes back from the log. */
function stored(event: unknown): JsonObject {
  return JSON.parse(JSON.stringify(event)) as JsonObject;
}

/** That events of older logs do not have. */
const LATER_FIELDS: ReadonlySet<string> = new Set([
  'versions',
  'anew',
  'RunCreated.forkedFrom',
  'lane',
  'conflicts',
  'StepSkipped.reason',
  'StepSkipped.approvals',
]);

describe('decodeRunEvent', () => {
  it.each(RUN_EVENT_TYPES)('[PL21] gives %s back as it was stored', (type) => {
    expect(decodeRunEvent(stored(eventOf(type)))).toEqual({ ok: true, value: eventOf(type) });
  });

  it.each(RUN_EVENT_TYPES)('[PL21] refuses %s when any one of its fields is missing', (type) => {
    for (const field of Object.keys(dataByType[type])) {
      if (LATER_FIELDS.has(field) || LATER_FIELDS.has(`${type}.${field}`)) continue;
      const { [field]: _left, ...data } = stored(dataByType[type]);
      expect(decodeRunEvent({ ...stored(eventOf(type)), data })).toMatchObject({
        ok: false,
        error: { type: 'UnreadableEvent' },
      });
    }
  });

  it('[PL21] leaves fields out that it does not know, at every depth', () => {
    const event = stored(eventOf('RunStarted'));
    const data = { checkpoint: { ...checkpoint, later: 1 }, notCarried: [], later: true };
    const decoded = decodeRunEvent({ ...event, data, position: 7, runId: 'r' });
    expect(decoded).toMatchObject({ ok: true, value: { data: { checkpoint, notCarried: [] } } });
    expect(JSON.stringify(decoded)).not.toContain('later');
    expect(JSON.stringify(decoded)).not.toContain('position');
  });

  it.each([
    ['an unknown type', { type: 'RunExploded' }, 'UnknownEventType'],
    ['a name of every object', { type: 'constructor' }, 'UnknownEventType'],
    ['no actor', { actor: null }, 'UnreadableEvent'],
    ['an actor of no kind', { actor: { kind: 'robot', id: 'x' } }, 'UnreadableEvent'],
    ['a time that is none', { at: 'yesterday' }, 'UnreadableEvent'],
    ['data that is no object', { data: [] }, 'UnreadableEvent'],
    ['a version that is none', { data: { v: 0, status: 'failed' } }, 'UnreadableEvent'],
    ['a newer version', { data: { v: 2, status: 'failed' } }, 'NewerEventVersion'],
  ])('[PL21] refuses %s', (_title, change, type) => {
    const result = decodeRunEvent({ ...stored(eventOf('RunEnded')), ...change });
    expect(result).toMatchObject({ ok: false, error: { type } });
  });

  it.each([undefined, null, 'x', 3, []])('[PL21] refuses %j instead of an event', (raw) => {
    expect(decodeRunEvent(raw)).toMatchObject({ ok: false, error: { type: 'UnreadableEvent' } });
  });

  it('[PL21] says which field is wrong', () => {
    const event = {
      ...stored(eventOf('RunStarted')),
      data: { checkpoint: { commit: 1, tree: '' } },
    };
    expect(decodeRunEvent(event)).toMatchObject({
      ok: false,
      error: {
        detail: expect.stringContaining('RunStarted cannot be read: checkpoint.commit') as string,
      },
    });
  });

  it('[PL21] lifts data of an older version step by step to the newest', () => {
    const upcasts = {
      RunEnded: [
        (data: JsonObject): JsonObject => ({ result: data['outcome'] ?? null }),
        (data: JsonObject): JsonObject => ({
          status: data['result'] === 'good' ? 'succeeded' : 'failed',
        }),
      ],
    };
    const statusOf = (data: Record<string, Json>): unknown => {
      const result = decodeRunEvent({ ...stored(eventOf('RunEnded')), data }, upcasts);
      return result.ok ? result.value.data : result.error.type;
    };
    expect(statusOf({ outcome: 'good' })).toEqual({ status: 'succeeded' });
    expect(statusOf({ v: 2, result: 'bad' })).toEqual({ status: 'failed' });
    expect(statusOf({ v: 3, status: 'succeeded' })).toEqual({ status: 'succeeded' });
    expect(statusOf({ v: 4, status: 'succeeded' })).toBe('NewerEventVersion');
    expect(EVENT_UPCASTS).toEqual({});
  });
});
