/** The workbench over everything real: git, bubblewrap, hosts, SQLite. Agents are the scripted one. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePlan } from '@ccdash/api/plan';
import type { ApprovalView, RunView, StepView } from '@ccdash/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openLog, openWorkbench, trustProject } from '../src/app.ts';
import type { OpenWorkbench } from '../src/app.ts';
import type { Caller, RunRequest } from '../src/base/workbench.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-workbench-')));
const projectDir = join(folder, 'project');
const stateDir = join(folder, 'state');
let open: OpenWorkbench;

const owner: Caller = {
  actor: { kind: 'person', id: 'owner' },
  roles: ['viewer', 'operator', 'approver', 'admin'],
  assurance: 'session',
};

function git(...args: string[]): string {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost'];
  const done = spawnSync('git', [...identity, '-C', projectDir, ...args], { encoding: 'utf8' });
  expect(`${String(done.status)} ${done.stderr}`).toMatch(/^0 /);
  return done.stdout;
}

async function openOrFail(): Promise<OpenWorkbench> {
  const opened = await openWorkbench({ projectDir, stateDir });
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
}

function killPool(): void {
  const path = join(stateDir, 'pool', 'lease.json');
  if (!existsSync(path)) return;
  const { host } = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly host: { readonly pid: number };
  };
  try {
    process.kill(host.pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

beforeAll(async () => {
  mkdirSync(projectDir);
  git('init', '--quiet', '--initial-branch=main');
  writeFileSync(join(projectDir, 'a.txt'), 'a\n');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'begin');
  process.env['CCDASH_TEST_TOKEN'] = 'tok-5f1c9d0e7a';
  open = await openOrFail();
});

afterAll(async () => {
  await open.close();
  killPool();
  rmSync(folder, { recursive: true, force: true });
});

async function launch(
  steps: string,
  head = "scope: { tools: [exec], write: ['**'] }",
): Promise<string> {
  const source = `version: 1\nname: test\n${head}\nsteps:\n${steps}`;
  const read = parsePlan(source, { file: 'plan.yaml' });
  if (!read.ok) throw new Error(JSON.stringify(read.problems, null, 2));
  const saved = await open.workbench.savePlan(read.plan, source, owner);
  if (!saved.ok) throw new Error(JSON.stringify(saved.error));
  const { id: planId, revision } = saved.value;
  const request = { planId, revision, feature: null, inputs: {} };
  const launched = await open.workbench.launch(request, owner);
  if (!launched.ok) throw new Error(JSON.stringify(launched.error));
  return launched.value.id;
}

/** The run as soon as `holds`; looked at after every event. */
function until(runId: string, holds: (run: RunView) => boolean): Promise<RunView> {
  return new Promise((resolve) => {
    const look = (): void => {
      const run = open.workbench.run(runId);
      if (run === null || !holds(run)) return;
      unsubscribe();
      resolve(run);
    };
    const unsubscribe = open.workbench.subscribe((event) => {
      if (event.runId === runId) setImmediate(look);
    });
    look();
  });
}

const isStill = ({ status }: RunView): boolean => status !== 'queued' && status !== 'running';
const rest = (runId: string): Promise<RunView> => until(runId, isStill);

function step(run: RunView, id: string): StepView {
  const found = run.steps.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no step ${id}`);
  return found;
}

async function ask(runId: string, request: RunRequest, by = owner): Promise<string> {
  const answer = await open.workbench.request(runId, request, by);
  return answer.ok ? 'ok' : answer.error.type;
}

function openRequest(runId: string): ApprovalView {
  const found = open.workbench
    .approvals()
    .find((approval) => approval.runId === runId && approval.status === 'open');
  if (found === undefined) throw new Error(`${runId} has no open request`);
  return found;
}

function decide(
  runId: string,
  decision: 'approve' | 'reject',
  changes: Partial<Extract<RunRequest, { type: 'decide' }>> = {},
  by = owner,
): Promise<string> {
  const { id: approvalId, subjectDigest } = openRequest(runId);
  const request = { type: 'decide', approvalId, decision, subjectDigest } as const;
  return ask(runId, { ...request, reason: 'a reason', form: {}, ...changes }, by);
}

function inWorkspace(runId: string, path: string): string {
  return readFileSync(join(stateDir, 'workspaces', runId, 'tree', path), 'utf8');
}

function filesBelow(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('steps', () => {
  test('[EN1] run in their order, hand outputs on, and leave checkpoints', async () => {
    const run = await rest(
      await launch(`  - id: make
    run: |
      echo made > made.txt
      echo '{"answer": 42, "word": "yes"}' > "$CCDASH_OUTPUT"
  - id: use
    run: test "$ANSWER/$WORD" = 42/yes
    env: { from: { ANSWER: make.answer, WORD: make.word } }
    scope: { write: [] }
  - id: gate
    validate:
      - exit: { step: use, equals: 0 }
      - file: { path: made.txt, matches: '^made$' }
      - paths: { only: [made.txt] }
`),
    );
    expect(run.status).toBe('succeeded');
    expect(step(run, 'make').outputs).toEqual({ answer: 42, word: 'yes' });
    expect(step(run, 'make').attempts[0]?.checkpoint).not.toEqual(null);
    expect(git('status', '--porcelain')).toBe('');
  });

  test('[EN2] with a false condition are skipped, with those behind them', async () => {
    const run = await rest(
      await launch(
        `  - id: never
    run: touch never.txt
    when: inputs.go == 'yes'
  - id: behind
    run: touch behind.txt
  - id: own
    run: touch own.txt
    when: inputs.go == 'no'
`,
        "scope: { tools: [exec], write: ['**'] }\ninputs: { go: { type: string, default: 'no' } }",
      ),
    );
    expect(run.steps.map(({ status }) => status)).toEqual(['skipped', 'skipped', 'succeeded']);
  });

  test('[EN3] that write never run together, and readers run beside each other', async () => {
    const run = await rest(
      await launch(`  - id: first
    run: 'test ! -e busy && touch busy && rm busy'
    needs: []
  - id: second
    run: 'test ! -e busy && touch busy && rm busy'
    needs: []
  - id: third
    run: 'test ! -e busy && touch busy && rm busy'
    needs: []
`),
    );
    expect(run.status).toBe('succeeded');
  });
});

describe('a step that fails', () => {
  test('[EN4] keeps what it changed aside, and the workspace as it was', async () => {
    const runId = await launch(`  - id: spoil
    run: echo spoilt > a.txt && exit 3
`);
    const run = await rest(runId);
    expect([run.status, step(run, 'spoil').attempts[0]?.exitCode]).toEqual(['failed', 3]);
    expect(step(run, 'spoil').attempts[0]?.setAside).not.toBe(null);
    expect(inWorkspace(runId, 'a.txt')).toBe('a\n');
  });

  test('[EN4] by writing outside of its scope is named with the paths', async () => {
    const runId = await launch(`  - id: stray
    run: echo x > 1.md && echo x > stray.txt
    scope: { write: ['*.md'] }
`);
    const run = await rest(runId);
    expect(step(run, 'stray').attempts[0]?.failure?.code).toBe('scope_violation');
    expect(step(run, 'stray').reason).toContain('stray.txt');
    expect(existsSync(join(stateDir, 'workspaces', runId, 'tree', '1.md'))).toBe(false);
  });

  test('[EN5] is tried again as often as its plan says, and then by a person', async () => {
    const runId = await launch(`  - id: flaky
    run: 'false'
    retry: { attempts: 2, backoff: 1s }
  - id: after
    run: 'true'
`);
    const run = await rest(runId);
    expect([run.status, step(run, 'flaky').attempts.length]).toEqual(['failed', 2]);
    expect(step(run, 'after').status).toBe('pending');
    expect(await ask(runId, { type: 'retry', step: 'flaky', reason: 'again' })).toBe('ok');
    const again = await until(
      runId,
      (one) => isStill(one) && step(one, 'flaky').attempts.length === 4,
    );
    expect(again.status).toBe('failed');
    expect(await ask(runId, { type: 'resume', step: null, reason: null })).toBe('NothingToResume');
  });

  test('[EN5] by its time limit is ended and says so', async () => {
    const run = await rest(
      await launch(`  - id: slow
    run: sleep 600
    timeout: 1s
`),
    );
    expect(step(run, 'slow').attempts[0]?.failure?.code).toBe('timed_out');
  });
});

describe('what is missing', () => {
  test.each([
    ['a secret', 'run: touch x\n    secrets: [CCDASH_ABSENT]', 'CCDASH_ABSENT'],
    ['an environment profile', 'run: touch x\n    env: { profile: grand }', 'grand'],
    ['an agent', 'agent: copilot\n    prompt: Hello.', 'copilot'],
  ])('[EN8] %s blocks its step, and says what to do', async (_, body, word) => {
    const runId = await launch(`  - id: needy\n    ${body}\n`);
    const run = await rest(runId);
    expect([run.status, run.blocked.length]).toEqual(['blocked', 1]);
    expect(step(run, 'needy').reason).toContain(word);
    expect(step(run, 'needy').hint).not.toBe(null);
    expect(await ask(runId, { type: 'cancel', reason: 'done' })).toBe('ok');
    expect((await rest(runId)).status).toBe('canceled');
  });

  test('[EN8] a program fails its step, by name', async () => {
    const run = await rest(await launch('  - id: gone\n    argv: [./no-such-program-here]\n'));
    expect(step(run, 'gone').attempts[0]?.failure?.code).toBe('program_missing');
    expect(step(run, 'gone').reason).toContain('no-such-program-here');
  });

  test('[EN8] a workspace is a failure, not a hang', async () => {
    const runId = await launch(`  - id: ask
    approve: Go on?
  - id: work
    run: touch x
`);
    await rest(runId);
    rmSync(join(stateDir, 'workspaces', runId), { recursive: true });
    expect(await decide(runId, 'approve')).toBe('ok');
    const run = await until(runId, (one) => isStill(one) && one.status !== 'blocked');
    expect([run.status, step(run, 'work').attempts[0]?.failure?.code]).toEqual([
      'failed',
      'workspace_missing',
    ]);
  });
});

describe('an approval', () => {
  test('[EN9] counts for what was shown, by who may, and once', async () => {
    const runId = await launch('  - id: gate\n    approve: Ship?\n');
    await rest(runId);
    expect(await decide(runId, 'approve', { subjectDigest: 'sha256:other' })).toBe('SubjectMoved');
    const guest: Caller = { ...owner, actor: { kind: 'person', id: 'guest' }, roles: ['viewer'] };
    expect(await decide(runId, 'approve', {}, guest)).toBe('NotAllowedToDecide');
    const agent: Caller = { ...owner, actor: { kind: 'agent', id: 'gate#1' } };
    expect(await decide(runId, 'approve', {}, agent)).toBe('NotAllowedToDecide');
    const { id: approvalId, subjectDigest } = openRequest(runId);
    expect(await decide(runId, 'approve')).toBe('ok');
    expect((await rest(runId)).status).toBe('succeeded');
    const late = { type: 'decide', approvalId, decision: 'reject', subjectDigest } as const;
    expect(await ask(runId, { ...late, reason: 'too late', form: {} })).toBe('ApprovalNotOpen');
  });

  test('[EN9] of a risky start lets exactly that start through', async () => {
    const runId = await launch('  - id: risky\n    run: touch risky.txt\n    risk: high\n');
    const waiting = await rest(runId);
    expect(waiting.blocked.map(({ reason }) => reason)).toEqual(['approval']);
    expect(openRequest(runId).subject).toMatchObject({ program: { script: 'touch risky.txt' } });
    expect(step(waiting, 'risky').attempts).toEqual([]);
    expect(await decide(runId, 'approve')).toBe('ok');
    expect((await until(runId, (run) => run.endedAt !== null)).status).toBe('succeeded');
  });

  test('[EN9] that is rejected sends the work back with the reason, as often as the plan says', async () => {
    const runId = await launch(`  - id: work
    run: echo again >> rounds.txt
  - id: gate
    approve: Good?
    onReject: { restart: work, max: 1 }
`);
    await rest(runId);
    expect(await decide(runId, 'reject', { reason: '' })).toBe('ReasonRequired');
    expect(await decide(runId, 'reject', { reason: 'not yet' })).toBe('ok');
    await until(runId, (run) => isStill(run) && step(run, 'work').attempts.length === 2);
    expect(inWorkspace(runId, 'rounds.txt')).toBe('again\nagain\n');
    expect(await decide(runId, 'reject', { reason: 'never' })).toBe('ok');
    const run = await until(runId, ({ endedAt }) => endedAt !== null);
    expect([run.status, step(run, 'gate').reason]).toEqual(['failed', 'owner rejected it: never']);
  });
});

describe('a cancel', () => {
  test('[EN10] ends what runs, with all below it, and starts nothing more', async () => {
    const marker = `ccdash-cancel-${String(process.pid)}`;
    const runId = await launch(`  - id: long
    run: (setsid nohup bash -c 'exec -a ${marker} sleep 600' &) ; touch up ; sleep 600
  - id: next
    run: touch next.txt
`);
    const up = join(stateDir, 'workspaces', runId, 'tree', 'up');
    await expect.poll(() => existsSync(up), { timeout: 60_000 }).toBe(true);
    expect(await ask(runId, { type: 'cancel', reason: 'enough' })).toBe('ok');
    const run = await until(runId, ({ status }) => status === 'canceled');
    expect(run.steps.map(({ status }) => status)).toEqual(['canceled', 'canceled']);
    const alive = spawnSync('pgrep', ['-f', marker], { encoding: 'utf8' });
    expect(alive.stdout).toBe('');
    expect(existsSync(up)).toBe(true);
    expect(await ask(runId, { type: 'retry', step: null, reason: null })).toBe('NothingToRetry');
  });
});

describe('the state folder', () => {
  beforeEach(() => {
    expect(statSync(stateDir).mode & 0o777).toBe(0o700);
  });

  test('[EN11] belongs to one engine', async () => {
    const second = await openWorkbench({ projectDir, stateDir });
    expect(second.ok ? 'opened' : second.error.code).toBe('state_locked');
    expect(second.ok ? '' : second.error.message).toContain(String(process.pid));
  });

  test('[EN11] holds no secret that a step was given, in any form', async () => {
    const runId = await launch(`  - id: leak
    run: |
      echo "value $CCDASH_TEST_TOKEN"; printf %s "$CCDASH_TEST_TOKEN" | base64
      printf %s "$CCDASH_TEST_TOKEN" > leaked.txt; rm leaked.txt
    secrets: [CCDASH_TEST_TOKEN]
`);
    await rest(runId);
    expect(await decide(runId, 'approve')).toBe('ok');
    expect((await until(runId, (run) => run.endedAt !== null)).status).toBe('succeeded');
    const secret = 'tok-5f1c9d0e7a';
    const forms = [
      secret,
      Buffer.from(secret).toString('base64'),
      Buffer.from(secret).toString('hex'),
    ];
    const leaking = filesBelow(stateDir).filter((path) => {
      const text = readFileSync(path, 'latin1');
      return forms.some((form) => text.includes(form));
    });
    expect(leaking).toEqual([]);
  });

  test('[EN11] lets no secret through a gate or into an artifact', async () => {
    const runId = await launch(`  - id: leak
    run: printf %s "$CCDASH_TEST_TOKEN" > kept.txt
    secrets: [CCDASH_TEST_TOKEN]
  - id: gate
    validate: [{ noSecrets: true }]
`);
    await rest(runId);
    await decide(runId, 'approve');
    const run = await until(runId, ({ endedAt }) => endedAt !== null);
    expect(step(run, 'gate').reason).toContain('the secret CCDASH_TEST_TOKEN');
    const keeping = await launch(`  - id: keep
    run: printf %s "$CCDASH_TEST_TOKEN" > kept.txt
    secrets: [CCDASH_TEST_TOKEN]
    artifacts: [kept.txt]
`);
    await rest(keeping);
    await decide(keeping, 'approve');
    const refused = await until(keeping, ({ endedAt }) => endedAt !== null);
    expect(step(refused, 'keep').attempts[0]?.failure?.code).toBe('secret_in_artifact');
  });

  test('[EN12] opened again has every run, plan and request as they were', async () => {
    const runId = await launch('  - id: gate\n    approve: Later?\n');
    await rest(runId);
    const before = [open.workbench.runs(), open.workbench.approvals()];
    await open.close();
    open = await openOrFail();
    expect([open.workbench.runs(), open.workbench.approvals()]).toEqual(before);
    expect(await decide(runId, 'approve')).toBe('ok');
    expect((await rest(runId)).status).toBe('succeeded');
    expect((await open.workbench.auditVerify()).ok).toBe(true);
  });

  test('[EN12] that is damaged is refused and left as it is', async () => {
    await open.close();
    const path = join(stateDir, 'log.db');
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole);
    damaged.fill(0x5a, 4096, 3 * 4096);
    writeFileSync(path, damaged);
    const refused = await openWorkbench({ projectDir, stateDir });
    expect(refused.ok ? null : refused.error.hint).toMatch(/backup|restore/i);
    expect(readFileSync(path).equals(damaged)).toBe(true);
    writeFileSync(path, whole);
    open = await openOrFail();
  });
});

describe('plans', () => {
  test('[EN13] keep their revisions: the same one is saved once', async () => {
    const sourceOf = (word: string): string =>
      `version: 1\nname: revised\nsteps:\n  - id: a\n    run: echo ${word}\n`;
    const save = async (text: string): Promise<readonly [string, number]> => {
      const read = parsePlan(text, { file: 'plan.yaml' });
      if (!read.ok) throw new Error('not a plan');
      const saved = await open.workbench.savePlan(read.plan, text, owner);
      if (!saved.ok) throw new Error(saved.error.type);
      return [saved.value.id, saved.value.revision];
    };
    const [id, first] = await save(sourceOf('one'));
    expect(first).toBe(1);
    expect(await save(sourceOf('one'))).toEqual([id, 1]);
    expect(await save(sourceOf('two'))).toEqual([id, 2]);
  });
});

describe('what comes with a repository', () => {
  test('[EN20] takes effect once its owner has trusted it, and no longer than it is unchanged', async () => {
    const other = join(folder, 'other');
    const otherState = join(folder, 'other-state');
    spawnSync('git', ['init', '--quiet', other]);
    mkdirSync(join(other, '.ccdash/policy'), { recursive: true });
    const rules = join(other, '.ccdash/policy/team.cedar');
    writeFileSync(
      rules,
      '@id("team-base") @doc("The team allows nothing.")\nforbid (principal, action in Action::"attempt", resource);\n',
    );
    const said: string[] = [];
    const openOther = async (): Promise<string> => {
      const say = (line: string): void => void said.push(line);
      const opened = await openWorkbench({ projectDir: other, stateDir: otherState, say });
      if (!opened.ok) return opened.error.code;
      await opened.value.close();
      return 'opened';
    };
    expect(await openOther()).toBe('opened');
    expect(said.join(' ')).toContain('ccdash trust');
    const trusted = await trustProject(other, otherState, 'owner');
    expect(trusted.ok ? trusted.value.policy : trusted.error).toMatch(/^sha256:/);
    said.length = 0;
    expect([await openOther(), said]).toEqual(['opened', []]);
    writeFileSync(rules, readFileSync(rules, 'utf8').replace('nothing', 'everything'));
    expect(await openOther()).toBe('policy_changed');
    expect((await trustProject(other, otherState, 'owner')).ok).toBe(true);
    expect(await openOther()).toBe('opened');
  });
});

describe('a diff', () => {
  const diff = async (runId: string, of: string | null, attempt: number | null = null) => {
    const told = await open.workbench.diff(runId, of, attempt);
    if (!told.ok) throw new Error(JSON.stringify(told.error));
    return told.value;
  };

  test('[HT23] shows what each step and the run changed, what a failed one did, and what a gate is about', async () => {
    const runId = await launch(`
  - { id: one, run: 'echo two > a.txt' }
  - { id: bad, needs: [one], run: 'echo bad > b.txt; exit 1' }
  - { id: look, needs: [one], approve: 'Good?' }`);
    const run = await rest(runId);
    const one = await diff(runId, 'one');
    expect(one.files).toEqual([{ path: 'a.txt', change: 'modified' }]);
    expect(one.text).toContain('-a\n+two\n');
    expect([one.from === one.to, one.truncated]).toEqual([false, false]);
    const bad = await diff(runId, 'bad', 1);
    expect(bad.files).toEqual([{ path: 'b.txt', change: 'added' }]);
    expect(bad.to).toBe(step(run, 'bad').attempts[0]?.setAside?.commit);
    expect(await diff(runId, null)).toEqual(one);
    expect(await diff(runId, 'look')).toEqual(one);
    const { id } = openRequest(runId);
    const asked = await open.workbench.diffOfApproval(id);
    expect(asked.ok && asked.value).toEqual(one);
    expect(await ask(runId, { type: 'cancel', reason: 'done' })).toBe('ok');
  });

  test('[HT23] of a step at work shows what it has changed up to now', async () => {
    const runId = await launch("  - { id: work, run: 'echo now > c.txt; echo said; sleep 600' }");
    await until(runId, (run) => step(run, 'work').status === 'running');
    const path = open.workbench.outputPath(runId, 'work', 1) ?? '';
    await expect.poll(() => existsSync(path) && readFileSync(path, 'utf8')).toBe('said\n');
    const now = await diff(runId, 'work');
    expect([now.to, now.files]).toEqual([null, [{ path: 'c.txt', change: 'added' }]]);
    expect(await ask(runId, { type: 'cancel', reason: 'enough' })).toBe('ok');
    await until(runId, (run) => run.status === 'canceled');
  });
});

describe('a bug in one run', () => {
  test('[EN50] leaves that run alone, shows it as blocked with the bug, and lets others go on', async () => {
    const id = await launch('  - id: a\n    approve: Go?\n');
    await rest(id);
    await open.close();
    // What a faulty engine might have written: an end of something that never began.
    const store = openLog(stateDir);
    if (!store.ok) throw new Error(JSON.stringify(store.error));
    const expectedSequence = (store.value.lastOf(id)?.sequence ?? -1) + 1;
    const bad = { type: 'RunStarted', actor: owner.actor, data: {} };
    const events = [{ ...bad, at: new Date().toISOString() }] as const;
    const appended = await store.value.append({ runId: id, expectedSequence, events });
    expect(appended.ok).toBe(true);
    store.value.close();
    open = await openOrFail();
    const left = open.workbench.run(id);
    expect(left?.status).toBe('blocked');
    expect(left?.quarantine).not.toBeNull();
    expect(open.workbench.runs().map((run) => run.id)).toContain(id);
    expect(await ask(id, { type: 'cancel', reason: 'x' })).toBe('Quarantined');
    const other = await rest(await launch('  - id: a\n    run: "true"\n'));
    expect(other).toMatchObject({ status: 'succeeded', quarantine: null });
  });
});
