/**
 * A whole engine with plans to run and a person who is hard to please, to be killed. The person comes and goes by the
 * seed: pauses, resumes, goes back, cancels, and sees to it in the end that whatever was stopped goes on.
 *
 * argv: project folder, state folder, folder of plan files, seed of this life, milliseconds that its clock is off.
 * Prints `EVENT <position> <run> <type>` once an event is durable, `RESUME <run> <ok or why not>`, and `ENDED` at the end.
 */
import { readFileSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parsePlan } from '@ccdash/api/plan';
import type { Result, RunView, StoredEvent } from '@ccdash/core';
import { openWorkbench } from '../../src/app.ts';
import { createSystemClock } from '../../src/base/system-clock.ts';
import type { Caller, RunRequest, WorkbenchRefusal } from '../../src/base/workbench.ts';
import { pick, randomNumbers } from '../random-numbers.ts';

const [projectDir = '', stateDir = '', plansDir = '', seed = '1', offset = '0'] =
  process.argv.slice(2);
const random = randomNumbers(Number(seed));
const offMs = Number(offset);
/** What the person does besides helping, of the events they see. */
const WHIM = 0.02;

const person: Caller = {
  actor: { kind: 'person', id: 'tester' },
  roles: ['viewer', 'operator', 'approver', 'admin'],
  assurance: 'session',
};

/** Written at once: what a killed process has said counts. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function fail(what: unknown): never {
  say(`FAILED ${JSON.stringify(what)}`);
  process.exit(1);
}

const system = createSystemClock();
const opened = await openWorkbench({
  projectDir,
  stateDir,
  clock: {
    now: () => system.now() + offMs,
    wakeAt: (atMs, callback) => system.wakeAt(atMs - offMs, callback),
  },
  say: (line) => say(`SAYS ${JSON.stringify(line)}`),
});
if (!opened.ok) fail(opened.error);
const open = opened.value;
const { workbench } = open;

/** Runs about which something is to be done; the person does one thing at a time. */
const waiting = new Set<string>();
let busy = false;

function onEvent({ position, runId, type }: StoredEvent): void {
  say(`EVENT ${String(position)} ${runId ?? '-'} ${type}`);
  if (runId === null) return;
  waiting.add(runId);
  void attend();
}

async function attend(): Promise<void> {
  if (busy) return;
  busy = true;
  for (const runId of waiting) {
    waiting.delete(runId);
    const run = workbench.run(runId);
    if (run !== null) await help(run);
  }
  busy = false;
  if (workbench.runs().length > 0 && workbench.runs().every(isOver)) {
    say('ENDED');
    await open.close();
    process.exit(0);
  }
}

function isOver({ status }: RunView): boolean {
  return status === 'succeeded' || status === 'canceled';
}

async function ask(run: RunView, request: RunRequest): Promise<string> {
  const answer = await workbench.request(run.id, request, person);
  return answer.ok ? 'ok' : answer.error.type;
}

async function help(run: RunView): Promise<void> {
  if (isOver(run)) return;
  if (random() < WHIM) return whim(run);
  const reason = 'test';
  if (run.status === 'paused') {
    say(`RESUME ${run.id} ${await ask(run, { type: 'resume', step: null, reason })}`);
    return;
  }
  if (run.status === 'failed') await ask(run, { type: 'retry', step: null, reason });
  for (const { reason: why, approval, step } of run.blocked) {
    if (why === 'interrupted') {
      const way = random() < 0.8 ? 'resume' : 'retry';
      const answer = await ask(run, { type: way, step, reason });
      // It may have gone on by itself meanwhile.
      const isStill = workbench.run(run.id)?.steps.find(({ id }) => id === step)?.status;
      if (isStill === 'interrupted') say(`RESUME ${run.id} ${answer}`);
    } else if (why === 'approval' && approval !== null) {
      const asked = workbench.approvals().find(({ id }) => id === approval);
      if (asked?.status !== 'open') continue;
      const { id: approvalId, subjectDigest } = asked;
      const form = {};
      await ask(run, {
        ...{ type: 'decide', decision: 'approve', approvalId, subjectDigest, reason, form },
      });
    } else await ask(run, { type: 'retry', step, reason });
  }
}

/** What nobody would expect. Runs are canceled in the first life alone, so that most of them come to their end. */
async function whim(run: RunView): Promise<void> {
  const reason = 'a whim';
  const begun = run.steps.filter(({ attempts }) => attempts.length > 0);
  const request: RunRequest = pick(random, [
    { type: 'pause', reason },
    { type: 'pause', reason },
    { type: 'resume', step: null, reason },
    { type: 'retry', step: null, reason },
    random() < 0.1
      ? { type: 'cancel', reason }
      : {
          type: 'restart',
          step: begun.at(Math.floor(random() * begun.length))?.id ?? 's0',
          reason,
        },
  ]);
  await ask(run, request);
  waiting.add(run.id);
}

/** Another program may have locked the log: nothing was done then, and a person tries again. */
async function onceTheLogTakesIt<T>(
  act: () => Promise<Result<T, WorkbenchRefusal>>,
): Promise<Result<T, WorkbenchRefusal>> {
  for (;;) {
    const answer = await act();
    if (answer.ok || answer.error.type !== 'StoreUnavailable') return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

workbench.subscribe(onEvent);
const launchedPlans = new Set(workbench.runs().map(({ plan }) => `${plan.name}.yaml`));
for (const name of readdirSync(plansDir).sort()) {
  if (launchedPlans.has(name)) continue;
  const source = readFileSync(join(plansDir, name), 'utf8');
  const parsed = parsePlan(source, { file: name });
  if (!parsed.ok) fail(parsed.problems);
  const saved = await onceTheLogTakesIt(() => workbench.savePlan(parsed.plan, source, person));
  if (!saved.ok) fail(saved.error);
  const { id: planId, revision } = saved.value;
  const asked = { planId, revision, feature: null, inputs: {} };
  const launched = await onceTheLogTakesIt(() => workbench.launch(asked, person));
  if (!launched.ok) fail(launched.error);
}
for (const { id } of workbench.runs()) waiting.add(id);
await attend();
// The engine's timers keep no process alive; this one must last until the runs end. And a person looks now and then.
setInterval(() => {
  for (const run of workbench.runs()) if (!isOver(run)) waiting.add(run.id);
  void attend();
}, 500);
