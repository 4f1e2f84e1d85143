/**
 * A whole engine in a process of its own, to be killed. Plays the person as well: launches the plan when there is no
 * run yet, approves what is asked, resumes what is interrupted.
 *
 * argv: project folder, state folder, plan file. `CRASH_AT=n` kills this process at the n-th crash point it passes.
 * Prints `EVENT <position> <type>` once an event is durable, `POINTS <n>` and `ENDED <status>` at the end.
 */
import { readFileSync, writeSync } from 'node:fs';
import { parsePlan } from '@ccdash/api/plan';
import { openWorkbench } from '../../src/app.ts';
import type { Caller } from '../../src/base/workbench.ts';

const [projectDir = '', stateDir = '', planFile = ''] = process.argv.slice(2);
const crashAt = Number(process.env['CRASH_AT'] ?? '0');
let points = 0;

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

const opened = await openWorkbench({
  projectDir,
  stateDir,
  crashPoint: () => {
    points += 1;
    if (points === crashAt) process.kill(process.pid, 'SIGKILL');
  },
});
if (!opened.ok) fail(opened.error);
const open = opened.value;
const { workbench } = open;

let busy = Promise.resolve();
workbench.subscribe((event) => {
  say(`EVENT ${String(event.position)} ${event.type}`);
  busy = busy.then(attend);
});

async function attend(): Promise<void> {
  for (const run of workbench.runs()) {
    if (run.status === 'succeeded' || run.status === 'failed' || run.status === 'canceled') {
      say(`POINTS ${String(points)}`);
      say(`ENDED ${run.status}`);
      await open.close();
      process.exit(0);
    }
    for (const { reason, approval } of run.blocked) {
      if (reason === 'interrupted') await resume(run.id);
      if (reason === 'approval' && approval !== null) await approve(run.id, approval);
    }
  }
}

async function resume(runId: string): Promise<void> {
  await workbench.request(runId, { type: 'resume', step: null, reason: 'test' }, person);
}

async function approve(runId: string, approvalId: string): Promise<void> {
  const approval = workbench.approvals().find(({ id }) => id === approvalId);
  if (approval?.status !== 'open') return;
  const { subjectDigest } = approval;
  const decision = { type: 'decide', approvalId, decision: 'approve', subjectDigest } as const;
  await workbench.request(runId, { ...decision, reason: 'test', form: {} }, person);
}

if (workbench.runs().length === 0) {
  const source = readFileSync(planFile, 'utf8');
  const parsed = parsePlan(source, { file: planFile });
  if (!parsed.ok) fail(parsed.problems);
  const saved = await workbench.savePlan(parsed.plan, source, person);
  if (!saved.ok) fail(saved.error);
  const { id: planId, revision } = saved.value;
  const launched = await workbench.launch({ planId, revision, feature: null, inputs: {} }, person);
  if (!launched.ok) fail(launched.error);
}
busy = busy.then(attend);
// The engine's timers keep no process alive; this one must last until the run ends.
setInterval(() => undefined, 60_000);
