/** Verbs against the real HTTP server over the workbench in memory of `http-fixture.ts`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { writeServerFile } from '../src/cli/server-file.ts';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture, Json } from './cli-fixture.ts';
import { PLAYED_DIFF, openHttpFixture, planText, until } from './http-fixture.ts';
import type { HttpFixture } from './http-fixture.ts';

let cli: CliFixture;
let http: HttpFixture;

beforeAll(async () => {
  cli = createCliFixture();
  http = await openHttpFixture({ stateDir: cli.stateDir });
  writeServerFile(cli.stateDir, http.server.url, true);
  cli.write('good.yaml', planText({ build: 'true', ship: 'true' }, 'Good'));
  cli.write('bad.yaml', planText({ build: 'false', ship: 'true' }, 'Bad'));
  cli.write('gate.yaml', planText({ build: 'true', review: 'approve', ship: 'true' }, 'Gate'));
  cli.write('risky.yaml', planText({ ship: 'true' }, 'Risky', ['ship']));
  cli.write('hold.yaml', planText({ build: 'hold' }, 'Hold'));
  cli.write('gone.yaml', planText({ build: 'gone' }, 'Gone'));
  cli.write('broken.yaml', 'version: 1\nname: x\nsteps:\n  - id: A\n    run: x\n');
});

afterAll(async () => {
  expect(http.bugs).toEqual([]);
  await http.close();
  cli.remove();
});

function newestRun(): string {
  return http.workbench.runs()[0]!.id;
}

function openApproval(): string {
  return http.workbench.approvals().findLast(({ status }) => status === 'open')!.id;
}

describe('following', () => {
  test('[CL1] a run that succeeds is told line by line, and exits 0', async () => {
    const { exitCode, stdout, stderr } = await cli.run('run', 'good.yaml');
    expect(exitCode, stderr).toBe(0);
    const words = stdout.split('\n').map((line) => line.replace(/^\d\d:\d\d:\d\d/, 'TIME'));
    expect(words[0]).toMatch(/^Good {2}revision \d+, run run_\d+$/);
    expect(words.slice(1, 5).map((line) => line.replace(/ +[\d.]+ s$/, ''))).toEqual([
      'TIME  > build  running',
      'TIME  + build  succeeded',
      'TIME  > ship   running',
      'TIME  + ship   succeeded',
    ]);
    expect(words[5]).toMatch(/^\+ run run_\d+ succeeded {2}2 of 2 steps, [\d.]+ s$/);
    expect(stdout).toMatch(/^[\x20-\x7e\n]*$/);
  });

  test('[CL1] a run that fails shows the end of its output without escape sequences, and exits 1', async () => {
    const { exitCode, stdout } = await cli.run('run', 'bad.yaml');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('x build  failed  it ended with exit code 1');
    expect(stdout).toContain('| first line\n');
    expect(stdout).toContain('| last line red\n');
    expect(stdout).toContain(`build failed: ccdash retry ${newestRun()} build`);
    expect(stdout).not.toContain('\u001b');
  });

  test('[CL2] with --json it is events, one a line, and the run at last', async () => {
    const { exitCode, documents, stderr } = await cli.json('run', 'bad.yaml');
    expect([exitCode, stderr]).toEqual([1, '']);
    const id = newestRun();
    expect(documents.slice(0, -1)).toEqual(http.workbench.runEvents(id, 0));
    expect(documents.at(-1)).toEqual({ type: 'run', ...http.workbench.run(id) });
  });

  test('[CL3] a run that waits for people exits 3 and says how to decide', async () => {
    const { exitCode, stdout } = await cli.run('run', 'gate.yaml');
    expect(exitCode).toBe(3);
    const id = openApproval();
    expect(stdout).toContain('? review  waits for a decision  May review pass?');
    expect(stdout).toContain('The rule says allow. (played)');
    expect(stdout).toContain(`ccdash approve ${id} --reason`);
    const last = (await cli.json('watch', newestRun())).documents.at(-1);
    expect(last).toMatchObject({
      type: 'run',
      status: 'blocked',
      blocked: [{ reason: 'approval', step: 'review', approval: id }],
    });
  });

  test('[CL3] a run whose only agent at work waits for people exits 3 as well', async () => {
    await cli.run('run', 'hold.yaml', '--detach');
    const id = newestRun();
    const watching = cli.start('watch', id);
    await until(() => watching.stdout().includes('build  running'));
    await http.workbench.raiseGate(id, 'build');
    const { exitCode, stdout } = await watching.ended;
    expect(exitCode).toBe(3);
    expect(stdout).toContain('? build  the agent waits for approval  make the release');
    expect(stdout).toContain(`ccdash approve ${openApproval()}`);
    expect(http.workbench.run(id)?.status).toBe('running');
    expect((await cli.run('approve', openApproval())).exitCode).toBe(0);
  });

  test('[CL3] a step that waits to start says what it would run, and by which rule it waits', async () => {
    const { exitCode, stdout } = await cli.run('run', 'risky.yaml');
    expect(exitCode).toBe(3);
    expect(stdout).toContain('? ship  waits for approval  true');
    expect(stdout).toContain('The rule says requires_approval. (played)');
  });

  test('[CL4] a detached run is launched and left alone', async () => {
    const { exitCode, documents } = await cli.json('run', 'hold.yaml', '--detach');
    expect(exitCode).toBe(0);
    expect(documents).toEqual([expect.objectContaining({ id: newestRun(), status: 'queued' })]);
  });

  test('[CL5] Ctrl-C detaches: exit code 130, and the run goes on', async () => {
    const followed = cli.start('run', 'hold.yaml');
    await until(() => followed.stdout().includes('build  running'));
    followed.child.kill('SIGINT');
    const { exitCode, stdout } = await followed.ended;
    expect(exitCode).toBe(130);
    expect(stdout).toContain(`come back with: ccdash watch ${newestRun()}`);
    expect(http.workbench.run(newestRun())?.status).toBe('running');
    await until(() => http.workbench.followers() === 0);
  });

  test('[CL5] whoever watches sees a run end that was canceled elsewhere', async () => {
    await cli.run('run', 'hold.yaml', '--detach');
    const id = newestRun();
    const watching = cli.start('watch', id);
    await until(() => watching.stdout().includes('build  running'));
    const canceled = await cli.run('cancel', id, '--reason', 'enough');
    expect(canceled.exitCode).toBe(0);
    const { exitCode, stdout } = await watching.ended;
    expect(exitCode).toBe(1);
    expect(stdout).toContain('run    is being canceled  enough');
    expect(stdout).toContain(`run ${id} canceled`);
  });

  test('[CL20] whoever watches goes on at the next server when this one goes', async () => {
    await cli.run('run', 'hold.yaml', '--detach');
    const id = newestRun();
    const watching = cli.start('watch', id, '--json');
    await until(() => watching.stdout().includes('AttemptStarted'));
    const next = await openHttpFixture({ stateDir: cli.stateDir }, http.workbench);
    writeServerFile(cli.stateDir, next.server.url, true);
    await http.server.close();
    http = next;
    await until(() => http.workbench.followers() === 1);
    expect((await cli.run('cancel', id)).exitCode).toBe(0);
    const { exitCode, stdout } = await watching.ended;
    expect(exitCode).toBe(1);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(lines.slice(0, -1)).toEqual(http.workbench.runEvents(id, 0));
  });

  test('[CL2] exec runs one command as a plan of one step', async () => {
    const { exitCode, documents } = await cli.json('exec', '--detach');
    expect([exitCode, documents[0]]).toMatchObject([2, { error: { type: 'UsageError' } }]);
    const done = await cli.run('exec', '--feature', 'x-1', '--', 'true', '--json', "it's");
    expect(done.exitCode, done.stderr).toBe(0);
    const run = http.workbench.run(newestRun());
    expect(run).toMatchObject({ feature: 'x-1', steps: [{ id: 'command', status: 'succeeded' }] });
    const plan = http.workbench.plan(run!.plan.id)!.plan;
    expect(plan.steps[0]).toMatchObject({ program: { argv: ['true', '--json', "it's"] } });
  });
});

describe('deciding', () => {
  beforeEach(async () => {
    await cli.run('run', 'gate.yaml', '--detach');
  });

  test('[CL6] a waiting request shows what is asked, why, by which rule, and its digest', async () => {
    const { exitCode, stdout } = await cli.run('approvals');
    expect(exitCode).toBe(0);
    const approval = http.workbench.approvals().find(({ id }) => id === openApproval())!;
    for (const part of [
      approval.id,
      approval.runId,
      'question  May review pass?',
      'The rule says allow. (played)',
      '1 person, role approver',
      approval.subjectDigest,
      `ccdash approve ${approval.id}`,
    ]) {
      expect(stdout).toContain(part);
    }
    const { documents } = await cli.json('approvals');
    expect(documents[0]).toEqual(
      JSON.parse(
        JSON.stringify(http.workbench.approvals().filter(({ status }) => status === 'open')),
      ),
    );
  });

  test('[CL7] an approval names the digest that was fetched; another one is a conflict', async () => {
    const id = openApproval();
    const moved = await cli.json('approve', id, '--digest', 'sha256:other');
    expect([moved.exitCode, moved.documents]).toMatchObject([
      6,
      [{ error: { type: 'SubjectMoved' } }],
    ]);
    const approved = await cli.json('approve', id, '--reason', 'fine');
    expect(approved.exitCode).toBe(0);
    expect(approved.documents).toMatchObject([{ id: newestRun(), status: 'succeeded' }]);
    const approval = http.workbench.approvals().find((one) => one.id === id)!;
    expect(approval.decisions).toMatchObject([{ decision: 'approve', reason: 'fine' }]);
    const again = await cli.run('approve', id);
    expect(again.exitCode).toBe(6);
    expect(again.stderr).toContain(`Approval request ${id} is approved.`);
    expect(again.stdout).toBe('');
  });

  test('[CL7] a rejection without a reason is bad usage; with one the run fails', async () => {
    const id = openApproval();
    expect((await cli.run('reject', id)).exitCode).toBe(2);
    expect((await cli.run('reject', id, '--reason', 'not yet')).exitCode).toBe(0);
    expect((await cli.run('watch', newestRun())).exitCode).toBe(1);
  });

  test('[CL8] the beginning of an id will do when only one open request has it', async () => {
    await cli.run('run', 'gate.yaml', '--detach');
    const ambiguous = await cli.json('approve', 'apr');
    expect([ambiguous.exitCode, ambiguous.documents]).toMatchObject([
      2,
      [{ error: { type: 'AmbiguousId' } }],
    ]);
    const none = await cli.json('approve', 'apr_x');
    expect([none.exitCode, none.documents]).toMatchObject([
      5,
      [{ error: { type: 'ApprovalNotFound' } }],
    ]);
    expect((await cli.run('approve', openApproval())).exitCode).toBe(0);
  });

  test('[CL7] a form is filled in by the types that the plan gives its fields', async () => {
    const form = { version: { type: 'number', required: true } };
    const steps = [{ id: 'review', approve: 'Which version?', form }];
    cli.write('form.yaml', JSON.stringify({ version: 1, name: 'Form', steps }));
    await cli.run('run', 'form.yaml', '--detach');
    const id = openApproval();
    for (const pair of ['version=two', 'other=1']) {
      expect((await cli.run('approve', id, '--form', pair)).exitCode).toBe(2);
    }
    expect((await cli.run('approve', id)).exitCode).toBe(2);
    expect((await cli.run('approve', id, '--form', 'version=12')).exitCode).toBe(0);
    const approval = http.workbench.approvals().find((one) => one.id === id)!;
    expect(approval.decisions).toMatchObject([{ form: { version: 12 } }]);
  });
});

describe('refusals', () => {
  test.each([
    [['run', 'show', 'run_x'], 5, 'RunNotFound'],
    [['watch', 'run_x'], 5, 'RunNotFound'],
    [['retry', 'run_x'], 5, 'RunNotFound'],
    [['approve', 'apr_x'], 5, 'ApprovalNotFound'],
    [['run', 'none.yaml'], 2, 'FileUnusable'],
    [['run', 'broken.yaml'], 2, 'PlanInvalid'],
    [['run', 'broken.yaml', '--dry-run'], 2, 'PlanInvalid'],
    [['run', 'good.yaml', '--input', 'branch=x'], 2, 'InputInvalid'],
    [['run', 'good.yaml', '--input', 'branch'], 2, 'UsageError'],
    [['run'], 2, 'UsageError'],
    [['frobnicate'], 2, 'UsageError'],
    [['runs', '--frob'], 2, 'UsageError'],
    [['serve', '--port', '99999'], 2, 'UsageError'],
  ])('[CL9] %j exits %i with %s', async (args, code, type) => {
    const { exitCode, documents, stderr } = await cli.json(...args);
    expect([exitCode, stderr]).toEqual([code, '']);
    expect(documents).toHaveLength(1);
    const error = documents[0]!['error'] as Json;
    expect(error).toMatchObject({ type });
    for (const field of ['title', 'detail', 'hint']) expect(error[field], field).not.toBe('');
  });

  test('[CL9] a step that cannot be retried is a conflict', async () => {
    await cli.run('run', 'good.yaml');
    const refused = await cli.json('retry', newestRun());
    expect([refused.exitCode, refused.documents]).toMatchObject([6, [{ error: {} }]]);
  });

  test('[CL10] a plan that is not valid is refused with file, line and column', async () => {
    const { exitCode, stderr } = await cli.run('run', 'broken.yaml');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^ {2}broken\.yaml:4:9: .+ \(.+\)$/m);
    const { documents } = await cli.json('run', 'broken.yaml');
    expect(documents[0]).toMatchObject({
      error: { at: { file: 'broken.yaml', line: 4, column: 9 } },
    });
  });

  test('[CL11] outside of a repository, and with a state inside of it, nothing is done', async () => {
    const outside = await cli.json('runs', '--project', cli.stateHome);
    expect([outside.exitCode, outside.documents]).toMatchObject([
      2,
      [{ error: { type: 'NoProject' } }],
    ]);
    for (const CCDASH_HOME of [join(cli.projectDir, '.state'), 'state']) {
      const [node, ...args] = cli.program;
      const child = spawn(node, [...args, 'runs'], {
        cwd: cli.projectDir,
        env: { ...cli.env, CCDASH_HOME },
        stdio: 'ignore',
      });
      const exitCode = await new Promise((resolve) => child.on('close', resolve));
      expect(exitCode).toBe(1);
      expect(existsSync(join(cli.projectDir, CCDASH_HOME))).toBe(false);
    }
  });
});

describe('lists and control', () => {
  test('[CL12] runs are listed newest first, and found by the beginning of their id', async () => {
    await cli.run('run', 'good.yaml');
    const { documents } = await cli.json('runs');
    expect(documents[0]).toEqual(JSON.parse(JSON.stringify(http.workbench.runs())));
    const { stdout } = await cli.run('runs');
    expect(stdout.split('\n')[0]).toMatch(/^\+ run_\d+ {2}succeeded +2\/2 .+ Good$/);
    const shown = await cli.json('run', 'show', newestRun());
    expect(shown.documents).toEqual([JSON.parse(JSON.stringify(http.workbench.run(newestRun())))]);
    expect((await cli.run('run', 'show', 'run')).exitCode).toBe(2);
    const text = await cli.run('run', 'show', newestRun());
    expect(text.stdout).toContain('build  succeeded');
  });

  test('[RC47] who launches a second run of a feature, or looks at one, is told of the other', async () => {
    const feature = ['--feature', 'twice'] as const;
    const alone = await cli.run('run', 'hold.yaml', ...feature, '--detach');
    expect(alone.stderr).toBe('');
    const first = newestRun();
    const launched = await cli.run('run', 'hold.yaml', ...feature, '--detach');
    expect(launched.stderr).toContain(`Run ${first} works on twice as well`);
    const shown = await cli.run('run', 'show', first);
    expect(shown.stderr).toContain(`Run ${newestRun()} works on twice as well`);
    for (const id of [first, newestRun()]) await cli.run('cancel', id);
  });

  test('[CL12] resume and retry name the step, and say how the run stands', async () => {
    await cli.run('run', 'gone.yaml', '--detach');
    const id = newestRun();
    const watched = await cli.run('watch', id);
    expect(watched.exitCode).toBe(3);
    expect(watched.stdout).toContain(`ccdash resume ${id} build`);
    expect((await cli.run('resume', id, 'build', '--reason', 'go on')).exitCode).toBe(0);
    expect((await cli.run('retry', id, 'nope')).exitCode).toBe(5);
  });

  test('[CL30] a dry run shows order, approvals and budget, and launches nothing', async () => {
    const before = http.workbench.launches;
    const { exitCode, stdout } = await cli.run('run', 'gate.yaml', '--dry-run');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('review  approval    asks people');
    expect(stdout).toContain('Approvals needed: 1');
    expect(stdout).toContain('Budget: no limit');
    cli.write(
      'limits.yaml',
      'version: 1\nname: x\nbudget: { usd: 5, time: 2h }\nsteps:\n  - { id: a, agent: scripted, prompt: hi, budget: { turns: 3 } }\n',
    );
    const limits = await cli.run('run', 'limits.yaml', '--dry-run');
    expect(limits.stdout).toContain('at most 3 turns');
    expect(limits.stdout).toContain('Budget: at most 5 USD, 2 h 0 min');
    expect(http.workbench.launches).toBe(before);
  });

  test('the log is shown entry by entry, and exported whole', async () => {
    const shown = await cli.json('audit', 'show', '--from', '1', '--limit', '2');
    expect(shown.documents).toEqual(http.workbench.auditEvents(1, 2));
    const exported = await cli.run('audit', 'export');
    expect(exported.stdout).toBe([...http.workbench.auditExport(), ''].join('\n'));
    const out = join(cli.stateHome, 'log.ndjson');
    expect((await cli.run('audit', 'export', '--out', out)).exitCode).toBe(0);
    expect(readFileSync(out, 'utf8')).toBe(exported.stdout);
    expect((await cli.run('audit', 'export', '--out', out)).exitCode).toBe(2);
  });

  test('[CL13] serve and stop see the server that lives', async () => {
    const { exitCode, documents } = await cli.json('serve');
    expect(exitCode).toBe(0);
    expect(documents).toMatchObject([{ project: cli.projectDir, url: http.server.url }]);
    expect(documents[0]!['loginUrl']).toMatch(/\/login\?code=[\w-]{43}$/);
    expect((await cli.run('serve', '--background')).stdout).toBe('');
    expect((await cli.json()).documents).toMatchObject([{ url: http.server.url }]);
  });
});

test('[CL14] help needs neither the engine nor the schemas', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ccdash-hook-'));
  const log = join(folder, 'log');
  const hook = join(folder, 'hook.mjs');
  writeFileSync(
    hook,
    `import { appendFileSync } from 'node:fs';
     import { registerHooks } from 'node:module';
     registerHooks({ load: (url, context, next) => {
       appendFileSync(${JSON.stringify(log)}, url + '\\n');
       return next(url, context);
     } });`,
  );
  const hooked = createCliFixture([`--import=${hook}`]);
  try {
    const { exitCode, stdout } = await hooked.run('--help');
    expect(exitCode).toBe(0);
    for (const verb of ['serve', 'init', 'plan', 'run', 'watch', 'approve', 'audit']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${verb}\\b`, 'm'));
    }
    const loaded = readFileSync(log, 'utf8');
    expect(loaded).toContain('/commander/');
    expect(loaded).not.toMatch(/\/(zod|hono|cedar-wasm|yaml|core|api)\//);
  } finally {
    hooked.remove();
    rmSync(folder, { recursive: true });
  }
});

/** util-linux has it; without it there is no terminal to ask in. */
const hasScript = existsSync('/usr/bin/script');

describe.skipIf(!hasScript)('in a terminal', () => {
  function inTerminal(...args: readonly string[]) {
    const words = [...cli.program, ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('/usr/bin/script', ['-qec', words, '/dev/null'], {
      cwd: cli.projectDir,
      env: cli.env,
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    return { text: () => text, type: (keys: string) => child.stdin.write(keys), ended };
  }

  test('[CL15] it asks where the run waits, shows what is asked, and takes a y', async () => {
    const followed = inTerminal('run', 'gate.yaml');
    await until(() => followed.text().includes('approve? y'));
    expect(followed.text()).toContain('May review pass?');
    expect(followed.text()).toContain(
      http.workbench.approvals().find(({ id }) => id === openApproval())!.subjectDigest,
    );
    followed.type('y\r');
    expect(await followed.ended).toBe(0);
    expect(followed.text()).toContain('✓');
    expect(http.workbench.run(newestRun())?.status).toBe('succeeded');
  });

  test('[CL15] n asks for the reason, and Enter leaves the request open', async () => {
    const rejected = inTerminal('run', 'gate.yaml');
    await until(() => rejected.text().includes('approve? y'));
    rejected.type('n\r');
    await until(() => rejected.text().includes('why not?'));
    rejected.type('too early\r');
    expect(await rejected.ended).toBe(1);
    expect(rejected.text()).toContain('too early');
    const later = inTerminal('run', 'gate.yaml');
    await until(() => later.text().includes('approve? y'));
    later.type('\r');
    expect(await later.ended).toBe(3);
    expect(http.workbench.run(newestRun())?.status).toBe('blocked');
  });

  test('[CL15] Ctrl-C at the question detaches and decides nothing', async () => {
    const followed = inTerminal('run', 'gate.yaml');
    await until(() => followed.text().includes('approve? y'));
    followed.type('\u0003');
    expect(await followed.ended).toBe(130);
    expect(followed.text()).toContain('come back with: ccdash watch');
    expect(http.workbench.run(newestRun())?.status).toBe('blocked');
  });

  test('[CL16] what was typed before the question is no answer to it', async () => {
    const early = inTerminal('run', 'gate.yaml');
    early.type('y\ry\ry\r');
    await until(() => early.text().includes('approve? y'));
    expect(http.workbench.run(newestRun())?.status).toBe('blocked');
    early.type('\r');
    expect(await early.ended).toBe(3);
  });
});

test.each(['/dev/null', '/proc', '/proc/ccdash'])(
  '[CL28] a state folder that cannot be, below %s, is refused at once and in words',
  async (home) => {
    const [node, ...args] = cli.program;
    for (const verb of ['runs', 'serve', 'stop']) {
      const child = spawn(node, [...args, verb, '--json'], {
        ...{ cwd: cli.projectDir, env: { ...cli.env, CCDASH_HOME: home } },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let stdout = '';
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
      const [exitCode] = (await once(child, 'close')) as [number];
      expect([exitCode, JSON.parse(stdout)]).toMatchObject([
        1,
        { error: { type: 'StateUnusable' } },
      ]);
    }
  },
);

test('[CL26] a retry that names no step says which is interrupted, and both ways on', async () => {
  await cli.run('run', 'gone.yaml');
  const id = newestRun();
  const refused = await cli.run('retry', id);
  expect(refused.exitCode).toBe(6);
  expect(refused.stderr).toContain(`Of run ${id} build is interrupted`);
  expect(refused.stderr).toContain(`ccdash resume ${id} build`);
  expect(refused.stderr).toContain(`ccdash retry ${id} build`);
  expect((await cli.run('retry', id, 'build')).exitCode).toBe(0);
});

describe('an exit code', () => {
  const table: readonly (readonly [code: number, what: string, args: () => readonly string[]])[] = [
    [0, 'a list', () => ['runs']],
    [0, 'a run that succeeds', () => ['run', 'good.yaml']],
    [0, 'a run that is only launched', () => ['run', 'gate.yaml', '--detach']],
    [0, 'a valid plan', () => ['plan', 'check', 'good.yaml']],
    [0, 'an intact log', () => ['audit', 'verify']],
    [0, 'a version', () => ['--version']],
    [1, 'a run that fails', () => ['run', 'bad.yaml']],
    [2, 'a verb that there is not', () => ['launch']],
    [2, 'an option that there is not', () => ['runs', '--verbose']],
    [2, 'an argument too few', () => ['watch']],
    [2, 'an argument too many', () => ['runs', 'all']],
    [2, 'a plan that is not valid', () => ['run', 'broken.yaml']],
    [2, 'an input that there is not', () => ['run', 'good.yaml', '--input', 'x=1']],
    [2, 'an empty id', () => ['approve', '']],
    [2, 'no id at all', () => ['run', 'show', '../logins']],
    [2, 'a rejection without a reason', () => ['reject', openApproval()]],
    [2, 'a folder that there is not', () => ['runs', '--project', '/nope']],
    [2, 'a port that the server has not', () => ['serve', '--port', '1']],
    [2, 'a host that the server has not', () => ['serve', '--host', '::1']],
    [3, 'a run that waits for people', () => ['run', 'gate.yaml']],
    [5, 'a run that there is not', () => ['watch', 'run_nope']],
    [5, 'a request that there is not', () => ['approve', 'apr_nope']],
    [5, 'a step that there is not', () => ['logs', newestRun(), 'nope']],
    [6, 'a digest that has moved', () => ['approve', openApproval(), '--digest', 'sha256:0']],
    [6, 'a run that has nothing to resume', () => ['resume', newestRun()]],
  ];

  beforeAll(async () => {
    await cli.run('run', 'gate.yaml');
  });

  test.each(table)('[CL9] %i is that of %s', async (code, _, args) => {
    const given = args();
    const { exitCode, stdout, stderr } = await cli.run(...given);
    expect(exitCode, stdout + stderr).toBe(code);
    expect(stdout + stderr).not.toMatch(/^ {4}at |\/api\/v1\//m);
  });
});

describe('help', () => {
  test.each([['runs'], ['run'], ['run', 'show'], ['plan', 'check'], ['audit', 'verify']])(
    '[CL27] of %s %s tells the options that every verb takes',
    async (...args) => {
      const { exitCode, stdout } = await cli.run(...args.filter(Boolean), '--help');
      expect(exitCode).toBe(0);
      for (const option of ['--json', '--project <dir>', '--help'])
        expect(stdout).toContain(option);
    },
  );

  test('[CL27] the version is that of the package', async () => {
    const file = new URL('../package.json', import.meta.url);
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
    expect((await cli.run('--version')).stdout).toBe(`${version}\n`);
  });
});

test('[CL13] a server that lives keeps where it listens: another port or host is refused, its own is not', async () => {
  const { port } = new URL(http.server.url);
  const refused = await cli.json('serve', '--port', '1');
  expect(refused.documents).toMatchObject([{ error: { type: 'UsageError' } }]);
  expect(JSON.stringify(refused.documents)).toContain('ccdash stop');
  expect((await cli.run('serve', '--port', port, '--host', '127.0.0.1')).exitCode).toBe(0);
});

describe('reviewing', () => {
  test('[CL24] a diff spells out what a terminal would act on, or hide', async () => {
    await cli.run('run', 'good.yaml');
    const { exitCode, stdout, stderr } = await cli.run('run', 'diff', newestRun(), 'build');
    expect([exitCode, stderr]).toEqual([0, '1 file changed, c0ffee to decade\n']);
    expect(stdout).toContain('\n-one\n+two\\u001b[2K\\u202e\n');
    const { documents } = await cli.json('run', 'diff', newestRun());
    expect(documents).toEqual([PLAYED_DIFF]);
    expect((await cli.run('run', 'diff', newestRun(), '--attempt', '1')).exitCode).toBe(2);
    expect((await cli.run('run', 'diff', newestRun(), 'build', '--attempt', '2')).exitCode).toBe(5);
  });

  test('[CL24] a waiting request names its diff', async () => {
    await cli.run('run', 'gate.yaml');
    const id = openApproval();
    const shown = await cli.run('approvals', 'show', id);
    expect(shown.stdout).toContain(`ccdash approvals diff ${id}`);
    expect((await cli.json('approvals', 'show', id)).documents).toMatchObject([{ id }]);
    expect((await cli.json('approvals', 'diff', id)).documents).toEqual([PLAYED_DIFF]);
    expect((await cli.run('approvals', 'diff', 'apr_none')).exitCode).toBe(5);
  });

  test('[CL25] the output of a step is shown whole, harmless, or as its bytes', async () => {
    await cli.run('run', 'good.yaml');
    const bytes = Buffer.from('10%\r20%\r\n\u001b[31mred\u001b]0;x\u0007\u00e9\u0000 end');
    writeFileSync(http.workbench.outputFile, bytes);
    const shown = await cli.run('logs', newestRun(), 'build');
    expect([shown.exitCode, shown.stdout]).toEqual([0, '10%\n20%\nred\u00e9 end']);
    const raw = await cli.run('logs', newestRun(), 'build', '--raw');
    expect(raw.stdout).toBe(bytes.toString('utf8'));
    const { documents } = await cli.json('logs', newestRun(), 'build', '--attempt', '1');
    expect(documents.map(({ text }) => text).join('')).toBe(bytes.toString('utf8'));
    const missing = await cli.json('logs', newestRun(), 'build', '--attempt', '2');
    expect([missing.exitCode, missing.documents]).toMatchObject([
      5,
      [{ error: { type: 'OutputNotFound' } }],
    ]);
  });

  test('[CL25] a large output passes through little memory', async () => {
    await cli.run('run', 'good.yaml');
    const size = 300_000_000;
    truncateSync(http.workbench.outputFile, 0);
    truncateSync(http.workbench.outputFile, size);
    const [node, ...before] = cli.program;
    const args = ['--max-old-space-size=64', ...before, 'logs', newestRun(), 'build', '--raw'];
    const { env, projectDir: cwd } = cli;
    const child = spawn(node, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let received = 0;
    let peak = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      received += chunk.length;
      const file = `/proc/${child.pid}/status`;
      const status = existsSync(file) ? readFileSync(file, 'utf8') : '';
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    });
    await once(child, 'close');
    expect([received, peak < 250_000]).toEqual([size, true]);
  });

  test('[CL25] a followed output goes on until the attempt ends', async () => {
    writeFileSync(http.workbench.outputFile, 'begin\n');
    await cli.run('run', 'hold.yaml', '--detach');
    const followed = cli.start('logs', newestRun(), 'build', '--follow');
    await until(() => followed.stdout() === 'begin\n');
    appendFileSync(http.workbench.outputFile, 'more\n');
    await until(() => followed.stdout() === 'begin\nmore\n');
    await cli.run('cancel', newestRun());
    expect(await followed.ended).toMatchObject({ exitCode: 0, stdout: 'begin\nmore\n' });
  });

  test('[CL25] Ctrl-C ends the looking, and the run goes on', async () => {
    await cli.run('run', 'hold.yaml', '--detach');
    writeFileSync(http.workbench.outputFile, 'begin\n');
    const followed = cli.start('logs', newestRun(), 'build', '--follow');
    await until(() => followed.stdout() === 'begin\n');
    followed.child.kill('SIGINT');
    expect((await followed.ended).exitCode).toBe(130);
    expect(http.workbench.run(newestRun())?.status).toBe('running');
  });
});
