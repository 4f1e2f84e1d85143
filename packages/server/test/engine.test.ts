/** Steps, approvals and cancels in every turn they can take, on one real workbench. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunView } from '@ccdash/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBench, OWNER, statuses, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';
import { gitIn } from './workspace-fixture.ts';

const POLL = { timeout: 60_000 };

let bench: Bench;

beforeAll(async () => {
  bench = await openBench({ 'a.txt': 'a\n', '.gitignore': 'local.env\n' });
});

afterAll(async () => {
  await bench.close();
});

const running = (run: RunView): readonly string[] =>
  run.steps.filter(({ status }) => status === 'running').map(({ id }) => id);

async function cancel(runId: string): Promise<RunView> {
  expect(await bench.ask(runId, { type: 'cancel', reason: 'seen enough' })).toBe('ok');
  return bench.until(runId, ({ status }) => status === 'canceled');
}

const ONE_AT_A_TIME = "scope: { tools: [exec], write: ['**'] }\nconcurrency: 1";

describe('steps', () => {
  test('[EN1] end well with any exit code that they expect', async () => {
    const run = await bench.rest(
      await bench.launch(`  - id: three
    run: exit 3
    exitCodes: [0, 3]
  - id: look
    validate: [exit: { step: three, equals: 3 }]
  - id: two
    run: exit 2
    exitCodes: [0, 3]
`),
    );
    expect(statuses(run)).toEqual(['succeeded', 'succeeded', 'failed']);
    expect(stepOf(run, 'two').reason).toContain('exit code 2, expected 0 or 3');
  });

  test('[EN1] of a validation that fails show each check with what it saw', async () => {
    const run = await bench.rest(
      await bench.launch(`  - id: never
    run: touch b.txt
    when: '1 > 2'
  - id: gate
    when: '1 < 2'
    needs: [never]
    validate:
      - file: { path: a.txt }
      - exit: { step: never, equals: 0 }
`),
    );
    const { failure, checks } = stepOf(run, 'gate').attempts[0] ?? {};
    expect([run.status, failure?.code]).toEqual(['failed', 'checks_failed']);
    expect(checks?.map(({ pass, evidence }) => [pass, evidence])).toEqual([
      [true, '2 characters'],
      [false, 'not run'],
    ]);
  });

  test('[EN3] that only read run beside each other, as many as the plan allows', async () => {
    const reader = (id: string): string =>
      `  - { id: ${id}, run: sleep 600, needs: [], scope: { write: [] } }\n`;
    const runId = await bench.launch(
      reader('one') + reader('two') + reader('three'),
      "scope: { tools: [exec], write: ['**'] }\nconcurrency: 2",
    );
    await bench.until(runId, (run) => running(run).length === 2);
    const run = await cancel(runId);
    expect(run.steps.filter(({ attempts }) => attempts.length > 0).length).toBe(2);
  });

  test('[EN3] that write wait for one another, where the plan lets one run at a time', async () => {
    const writer = (id: string): string =>
      `  - { id: ${id}, run: echo ${id} >> b.txt, needs: [] }\n`;
    const steps = writer('one') + writer('two') + writer('three');
    const runId = await bench.launch(steps, ONE_AT_A_TIME);
    expect((await bench.rest(runId)).status).toBe('succeeded');
    const types = bench
      .events(runId)
      .map(({ type }) => type)
      .filter((type) => type === 'AttemptStarted' || type === 'AttemptSucceeded');
    const oneByOne = ['AttemptStarted', 'AttemptSucceeded'];
    expect(types).toEqual([...oneByOne, ...oneByOne, ...oneByOne]);
  });

  const TWO_BRANCHES = `  - { id: bad, run: 'false', needs: [] }
  - { id: behind, run: 'true', needs: [bad] }
  - { id: other, run: touch b.txt, needs: [] }
  - { id: further, run: touch c.txt, needs: [other] }
`;
  test('[EN2] beside a failed one go on, and those behind it wait', async () => {
    const run = await bench.rest(await bench.launch(TWO_BRANCHES));
    expect([run.status, ...statuses(run)]).toEqual([
      'failed',
      ...['failed', 'pending', 'succeeded', 'succeeded'],
    ]);
  });

  test('[EN2] beside a failed one start no more when the plan says stop', async () => {
    const head = "scope: { tools: [exec], write: ['**'] }\nonFailure: stop\nconcurrency: 1";
    const run = await bench.rest(await bench.launch(TWO_BRANCHES, head));
    expect(run.status).toBe('failed');
    expect(stepOf(run, 'bad').status).toBe('failed');
    expect(stepOf(run, 'further').attempts).toEqual([]);
    expect(stepOf(run, 'other').attempts).toEqual([]);
  });
});

describe('a step that fails', () => {
  test('[EN4] leaves its work in a commit that can be read, and the step behind it never sees it', async () => {
    const runId = await bench.launch(`  - id: spoil
    run: echo spoilt > a.txt && echo new > b.txt && exit 1
`);
    const { setAside } = stepOf(await bench.rest(runId), 'spoil').attempts[0] ?? {};
    const commit = setAside?.commit ?? '';
    expect(bench.checkpointGit(runId, 'show', `${commit}:a.txt`)).toBe('spoilt\n');
    expect(bench.checkpointGit(runId, 'show', `${commit}:b.txt`)).toBe('new\n');
  });

  test('[EN4] by its scope names a few of many paths and counts the rest', async () => {
    const runId = await bench.launch(
      `  - id: stray
    run: touch 1.txt 2.txt 3.txt 4.txt 5.txt 6.txt 7.txt ok.md
    scope: { write: ['*.md'] }
`.replace(", '/*'", ''),
    );
    const run = await bench.rest(runId);
    const { failure } = stepOf(run, 'stray').attempts[0] ?? {};
    expect(failure?.code).toBe('scope_violation');
    expect(failure?.message).toContain('1.txt, 2.txt, 3.txt, 4.txt, 5.txt and 2 more');
    expect(failure?.hint).toContain('scope.write');
  });

  test('[EN5] waits twice as long before each further try', async () => {
    const runId = await bench.launch(`  - id: flaky
    run: 'test -e a.txt && false'
    retry: { attempts: 3, backoff: 1s }
`);
    const run = await bench.rest(runId);
    expect(stepOf(run, 'flaky').attempts.map(({ status }) => status)).toEqual([
      'failed',
      'failed',
      'failed',
    ]);
    const waits = bench.events(runId, 'AttemptRetrying').map(({ at, data }) => {
      const { notBeforeMs } = data as { readonly notBeforeMs: number };
      return notBeforeMs - Date.parse(at);
    });
    expect(waits).toEqual([1000, 2000]);
    const begun = bench.events(runId, 'AttemptStarted').map(({ at }) => Date.parse(at));
    const retried = bench.events(runId, 'AttemptRetrying').map(({ at }) => Date.parse(at));
    expect((begun[1] ?? 0) - (retried[0] ?? 0)).toBeGreaterThanOrEqual(1000);
    expect((begun[2] ?? 0) - (retried[1] ?? 0)).toBeGreaterThanOrEqual(2000);
  });

  test('[EN5] opens its run again when a person retries it, and the run ends well', async () => {
    const runId = await bench.launch(`  - { id: door, approve: 'Open?', expires: 3s }
  - { id: pass, run: touch b.txt }
`);
    const failed = await bench.until(runId, ({ status }) => status === 'failed');
    expect(stepOf(failed, 'door').reason).toContain('expired');
    expect(await bench.ask(runId, { type: 'retry', step: null, reason: 'again' })).toBe('ok');
    await bench.until(runId, ({ status }) => status === 'blocked');
    expect(await bench.decide(bench.openRequest(runId, 'door'), 'approve')).toBe('ok');
    const run = await bench.until(runId, ({ status }) => status === 'succeeded');
    expect(run.endedAt).not.toBe(null);
    expect(bench.events(runId, 'RunEnded').length).toBe(2);
  });

  test('[AP33] is not asked about again when a person has rejected exactly that', async () => {
    const runId = await bench.launch(`  - { id: door, approve: 'Open?' }
`);
    await bench.rest(runId);
    expect(await bench.decide(bench.openRequest(runId, 'door'), 'reject')).toBe('ok');
    const failed = await bench.rest(runId);
    expect(stepOf(failed, 'door').reason).toBe('owner rejected it: a reason');
    expect(await bench.ask(runId, { type: 'retry', step: null, reason: 'again' })).toBe('ok');
    await bench.until(runId, () => bench.events(runId, 'StepFailed').length === 2);
    const again = stepOf(await bench.rest(runId), 'door');
    expect(again).toMatchObject({
      reason: 'owner has rejected exactly this: a reason',
      hint: 'change what it would run, then retry the step',
    });
  });
});

describe('what is missing', () => {
  test('[EN8] an output blocks the step that reads it, and names it', async () => {
    const runId = await bench.launch(`  - { id: make, run: touch b.txt }
  - { id: use, run: touch c.txt, env: { from: { X: make.answer } } }
`);
    const run = await bench.rest(runId);
    expect(run.blocked.map(({ reason, step }) => [reason, step])).toEqual([
      ['configuration', 'use'],
    ]);
    expect(stepOf(run, 'use').reason).toContain('make.answer');
    expect(stepOf(run, 'use').hint).toContain('$CCDASH_OUTPUT');
  });

  test('[EN8] an output with the name of something built in is missing like any other', async () => {
    const runId = await bench.launch(`  - { id: make, run: touch b.txt }
  - { id: look, approve: 'Ship?', show: [make.valueOf] }
  - { id: use, run: touch c.txt, env: { from: { X: make.valueOf } } }
`);
    await bench.rest(runId);
    const approval = bench.openRequest(runId, 'look');
    expect(approval.subject).toMatchObject({ show: { 'make.valueOf': null } });
    expect(await bench.decide(approval, 'approve')).toBe('ok');
    const run = await bench.rest(runId);
    expect([run.status, run.blocked[0]?.reason]).toEqual(['blocked', 'configuration']);
  });

  test('[EN8] an output that a condition reads blocks its step', async () => {
    const runId = await bench.launch(`  - { id: make, run: touch b.txt }
  - { id: use, run: touch c.txt, when: steps.make.outputs.answer == 42 }
`);
    const run = await bench.rest(runId);
    expect([run.status, run.blocked[0]?.reason]).toEqual(['blocked', 'configuration']);
    expect(stepOf(run, 'use').reason).toContain('answer');
    expect(stepOf(run, 'use').attempts).toEqual([]);
  });

  test('[EN8] a secret that is there later lets a retry go on', async () => {
    const name = 'CCDASH_TEST_LATER';
    const runId = await bench.launch(`  - id: needy
    run: test "\${#${name}}" = 12
    secrets: [${name}]
`);
    expect((await bench.rest(runId)).blocked[0]?.reason).toBe('configuration');
    process.env[name] = 'abcdef-12345';
    try {
      expect(await bench.ask(runId, { type: 'retry', step: 'needy', reason: null })).toBe('ok');
      await bench.until(runId, ({ blocked }) => blocked[0]?.reason === 'approval');
      expect(await bench.decide(bench.openRequest(runId, 'needy'), 'approve')).toBe('ok');
      expect((await bench.until(runId, ({ endedAt }) => endedAt !== null)).status).toBe(
        'succeeded',
      );
    } finally {
      Reflect.deleteProperty(process.env, name);
    }
  });

  test.each([
    [{ count: 'many' }, 'count must be a number'],
    [{ count: '' }, 'count must be a number'],
    [{}, 'count (number) is required'],
    [{ count: 1, size: 2 }, 'no input size; it has: count'],
    [{ count: 1, constructor: 2 }, 'no input constructor; it has: count'],
  ])('[EN8] an input, or one that is none, is refused by name: %j', async (inputs, words) => {
    const head = 'inputs: { count: { type: number, required: true } }';
    const steps = '  - { id: a, run: "true" }\n';
    await expect(
      bench.launch(steps, head, inputs as Readonly<Record<string, string | number>>),
    ).rejects.toThrow(words);
  });
});

describe('an approval', () => {
  test('[EN9] of a start that is rejected fails the step, with the reason, and nothing ran', async () => {
    const runId = await bench.launch('  - { id: risky, run: touch b.txt, risk: high }\n');
    await bench.rest(runId);
    expect(await bench.decide(bench.openRequest(runId, 'risky'), 'reject')).toBe('ok');
    const run = await bench.rest(runId);
    expect([run.status, stepOf(run, 'risky').reason]).toEqual([
      'failed',
      'owner rejected it: a reason',
    ]);
    expect(stepOf(run, 'risky').attempts).toEqual([]);
  });

  test('[EN9] that nobody gives expires, and fails its step', async () => {
    const runId = await bench.launch("  - { id: gate, approve: 'Ship?', expires: 1s }\n");
    const run = await bench.until(runId, ({ endedAt }) => endedAt !== null);
    expect([run.status, stepOf(run, 'gate').status]).toEqual(['failed', 'failed']);
    expect(stepOf(run, 'gate').reason).toMatch(/expired|nobody/i);
    const [approval] = bench
      .workbench()
      .approvals()
      .filter((one) => one.runId === runId);
    expect(approval?.status).toBe('expired');
  });

  test('[EN9] given before the workspace moved does not count: what will run is asked again', async () => {
    const steps = `  - id: move
    run: touch up; until test -e go; do sleep 0.1; done
    needs: []
  - id: risky
    run: touch b.txt
    risk: high
    needs: []
`;
    const runId = await bench.launch(steps, ONE_AT_A_TIME);
    await bench.until(runId, ({ blocked }) => blocked.some(({ step }) => step === 'risky'));
    await expect.poll(() => existsSync(bench.inTree(runId, 'up')), POLL).toBe(true);
    const first = bench.openRequest(runId, 'risky');
    expect(await bench.decide(first, 'approve')).toBe('ok');
    writeFileSync(bench.inTree(runId, 'go'), '');
    await bench.until(runId, ({ status }) => status === 'blocked');
    const second = bench.openRequest(runId, 'risky');
    expect(second.id).not.toBe(first.id);
    expect(second.subjectDigest).not.toBe(first.subjectDigest);
    expect(await bench.decide(first, 'approve')).toBe('ApprovalNotOpen');
    expect(stepOf(await bench.rest(runId), 'risky').attempts).toEqual([]);
    expect(await bench.decide(second, 'approve')).toBe('ok');
    expect((await bench.until(runId, ({ endedAt }) => endedAt !== null)).status).toBe('succeeded');
    expect(bench.events(runId, 'AttemptStarted').at(-1)?.data).toMatchObject({
      step: 'risky',
      approvals: [second.id],
    });
  });

  test('[EN9] of a gate is open to the roles it names alone, and to two people when it says so', async () => {
    const runId = await bench.launch(`  - id: gate
    approve: Ship?
    by: { roles: [approver], count: 2 }
`);
    await bench.rest(runId);
    const approval = bench.openRequest(runId, 'gate');
    expect(await bench.decide(approval, 'approve')).toBe('ok');
    expect(await bench.decide(approval, 'approve')).toBe('AlreadyDecided');
    expect((await bench.rest(runId)).status).toBe('blocked');
    const { id: approvalId, subjectDigest } = approval;
    const ann = { ...OWNER, actor: { kind: 'person', id: 'ann' } as const, roles: ['operator'] };
    const request = {
      ...({ type: 'decide', approvalId, subjectDigest, decision: 'approve' } as const),
      ...{ reason: 'fine', form: {} },
    };
    const refused = await bench.workbench().request(runId, request, ann);
    expect(refused.ok ? 'ok' : refused.error.type).toBe('NotAllowedToDecide');
    const approver = { ...ann, roles: ['approver'] };
    expect((await bench.workbench().request(runId, request, approver)).ok).toBe(true);
    expect((await bench.rest(runId)).status).toBe('succeeded');
  });
});

describe('a cancel', () => {
  test('[EN10] of a run that waits withdraws what it asked', async () => {
    const runId = await bench.launch("  - { id: gate, approve: 'Ship?' }\n");
    await bench.rest(runId);
    const approval = bench.openRequest(runId, 'gate');
    expect(statuses(await cancel(runId))).toEqual(['canceled']);
    expect(await bench.decide(approval, 'approve')).toBe('ApprovalNotOpen');
    const after = bench
      .workbench()
      .approvals()
      .find(({ id }) => id === approval.id);
    expect(after?.status).toBe('withdrawn');
    expect(bench.events(runId).at(-1)?.type).toBe('RunCanceled');
  });

  test('[EN10] of a run that has succeeded is refused', async () => {
    const runId = await bench.launch("  - { id: quick, run: 'true' }\n");
    await bench.rest(runId);
    expect(await bench.ask(runId, { type: 'cancel', reason: 'late' })).toBe('RunOver');
  });
});

describe('a pause', () => {
  test('[EN40] lets what runs end, begins nothing, outlives the engine, and goes on by a resume', async () => {
    const runId =
      await bench.launch(`  - { id: first, run: 'touch up; until test -e go; do sleep 0.1; done' }
  - { id: second, run: touch b.txt }
`);
    await expect.poll(() => existsSync(bench.inTree(runId, 'up')), POLL).toBe(true);
    expect(await bench.ask(runId, { type: 'pause', reason: 'lunch' })).toBe('ok');
    writeFileSync(bench.inTree(runId, 'go'), '');
    const paused = await bench.until(runId, (run) => stepOf(run, 'first').status === 'succeeded');
    expect([paused.status, paused.paused?.reason]).toEqual(['paused', 'lunch']);
    await bench.letGo();
    await bench.open();
    const still = bench.workbench().run(runId);
    expect([still?.status, still && statuses(still)]).toEqual(['paused', ['succeeded', 'pending']]);
    const resume = { type: 'resume', step: null, reason: null } as const;
    expect(await bench.ask(runId, resume)).toBe('ok');
    expect((await bench.rest(runId)).status).toBe('succeeded');
    const types = bench.events(runId).map(({ type }) => type);
    expect(types.slice(types.indexOf('RunPaused'))).toEqual([
      ...['RunPaused', 'AttemptSucceeded', 'RunUnpaused', 'StepReadied', 'AttemptStarted'],
      ...['AttemptSucceeded', 'RunEnded'],
    ]);
  });
});

describe('setup', () => {
  test('[EN19] copies what git does not have, and no checkpoint has it', async () => {
    writeFileSync(join(bench.projectDir, 'local.env'), 'KEY=only-here\n');
    const runId = await bench.launch(
      `  - id: use
    run: grep -q only-here local.env && touch b.txt && cp local.env copied.txt && rm copied.txt
`,
      `scope: { tools: [exec], write: ['**'] }
setup: { copy: [local.env], run: ['touch ready.txt'] }`,
    );
    const run = await bench.rest(runId);
    expect(run.status).toBe('succeeded');
    expect(statuses(run)).toEqual(['succeeded', 'succeeded']);
    const names = bench.checkpointGit(runId, 'log', '--all', '--name-only', '--format=');
    expect(names).toContain('ready.txt');
    expect(names).not.toContain('local.env');
  });

  test('[EN19] fails by the name of what is not there to copy', async () => {
    const runId = await bench.launch(
      "  - { id: use, run: 'true' }\n",
      "scope: { tools: [exec], write: ['**'] }\nsetup: { copy: [absent.env], run: ['true'] }",
    );
    const run = await bench.rest(runId);
    expect(run.status).toBe('failed');
    expect(stepOf(run, 'setup').reason).toContain('absent.env');
    expect(stepOf(run, 'setup').hint).not.toBe(null);
    expect(stepOf(run, 'use').attempts).toEqual([]);
  });
});

describe('artifacts', () => {
  test('[EN16] of a step are listed with it, and kept by their digest', async () => {
    const run = await bench.rest(
      await bench.launch(`  - id: make
    run: mkdir out && echo '{}' > out/a.json && echo x > out/b.txt
    artifacts: ['out/*.json']
`),
    );
    expect(stepOf(run, 'make').artifacts).toMatchObject([
      { name: 'out/a.json', bytes: 3, mediaType: 'application/json' },
    ]);
  });

  test('[EN16] that cannot be kept fail their step, and not the engine', async () => {
    const other = await openBench({ 'a.txt': 'a\n' });
    try {
      writeFileSync(join(other.stateDir, 'artifacts'), 'a file in the way');
      const runId = await other.launch(
        "  - { id: make, run: touch b.txt, artifacts: ['*.txt'] }\n",
      );
      const run = await other.rest(runId);
      expect(stepOf(run, 'make').attempts[0]?.failure?.code).toBe('artifact_not_kept');
      expect(await other.ask(runId, { type: 'cancel', reason: 'done' })).toBe('ok');
    } finally {
      await other.close();
    }
  });
});

describe('a result', () => {
  const apply = async (runId: string, as: 'branch' | 'squash', digest?: string) => {
    const request = { as, branch: null, message: null };
    const summary = await bench.workbench().previewApply(runId, request);
    if (!summary.ok) throw new Error(summary.error.type);
    const agreed = { ...request, digest: digest ?? summary.value.digest, reason: null };
    return bench.workbench().apply(runId, agreed, OWNER);
  };

  test('[EN41] comes to the project as it was agreed, and the log says so', async () => {
    const runId = await bench.launch('  - { id: make, run: echo x > made.txt }\n');
    await bench.rest(runId);
    const applied = await apply(runId, 'branch');
    if (!applied.ok) throw new Error(applied.error.type);
    const [done] = applied.value.applied;
    expect(done).toMatchObject({ branch: `ccdash/${runId}`, by: OWNER.actor, failure: null });
    expect(gitIn(bench.projectDir, 'rev-parse', `ccdash/${runId}`)).toBe(done?.commit);
    expect(gitIn(bench.projectDir, 'show', `ccdash/${runId}:made.txt`)).toBe('x');
    const types = bench.events(runId).map(({ type }) => type);
    expect(types.slice(-3)).toEqual(['RunEnded', 'ResultApplying', 'ResultApplied']);
  });

  test('[EN41] is refused when anything that was shown has changed', async () => {
    const runId = await bench.launch('  - { id: make, run: echo x > made.txt }\n');
    await bench.rest(runId);
    const refused = await apply(runId, 'branch', 'sha256:another');
    expect(refused).toMatchObject({ ok: false, error: { type: 'SummaryMoved' } });
    expect(bench.events(runId).at(-1)?.type).toBe('RunEnded');
  });
});

describe('a restart', () => {
  test('[EN42] sets the workspace back, runs again what was built on it, and keeps what was there', async () => {
    const runId = await bench.launch(`  - { id: first, run: echo one >> log.txt }
  - { id: second, run: echo two >> log.txt }
  - { id: third, run: grep -q never log.txt }
`);
    expect((await bench.rest(runId)).status).toBe('failed');
    const restart = { type: 'restart', step: 'second', reason: 'again' } as const;
    const summary = await bench.workbench().preview(runId, restart, OWNER);
    if (!summary.ok) throw new Error(summary.error.type);
    expect(summary.value).toMatchObject({
      ...{ kept: ['first'], again: ['second', 'third'], stale: ['second'] },
      files: [{ path: 'log.txt', change: 'modified' }],
    });
    const before = bench.workbench().run(runId)?.checkpoint?.commit;
    const { digest } = summary.value;
    const said = { ...restart, reason: 'said when it is done' };
    const done = await bench.workbench().requestAgreed(runId, said, digest, OWNER);
    expect(done.ok).toBe(true);
    await bench.rest(runId);
    expect(readFileSync(bench.inTree(runId, 'log.txt'), 'utf8')).toBe('one\ntwo\n');
    expect(bench.checkpointGit(runId, 'show', `${String(before)}:log.txt`)).toBe('one\ntwo\n');
    const started = bench.events(runId, 'AttemptStarted').map(({ data }) => data);
    expect(started.map((each) => (each as { step: string }).step)).toEqual([
      ...['first', 'second', 'third', 'second', 'third'],
    ]);
    const late = await bench.workbench().requestAgreed(runId, restart, digest, OWNER);
    expect(late).toMatchObject({ ok: false, error: { type: 'SummaryMoved' } });
  });
});
