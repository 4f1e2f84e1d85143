import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { AttemptOutcome, AttemptSpec, HostFact } from '@ccdash/core';
import { expect, onTestFinished, test } from 'vitest';
import { identityOf } from '../base/process-identity.ts';
import { attemptFolder } from './attempt-folder.ts';
import type { Work } from './attempt-work.ts';
import { PROTOCOL } from './lease.ts';
import { startHostedAttempt } from './hosted-attempt.ts';
import type { HostedAttempt } from './hosted-attempt.ts';
import { createSpoolReader } from './spool-reader.ts';

const NOTHING = { exitCode: 0, signal: null, output: null, outputs: {}, usage: null };
const DONE: AttemptOutcome = { ...NOTHING, status: 'succeeded' };
const QUESTION = { callId: 'c', tool: 'exec', name: 'Bash', title: 'push', input: {} };
const untilStopped: Work = ({ stopping }) =>
  new Promise((resolve) => stopping.addEventListener('abort', () => resolve(DONE)));

let attempts = 0;
function start(work: Work, change: Partial<AttemptSpec> = {}) {
  const stateDir = mkdtempSync(join(tmpdir(), 'ccdash-hosted-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const spec: AttemptSpec = {
    runId: 'run_1',
    step: 'step',
    attempt: (attempts += 1),
    epoch: 1,
    work: { kind: 'command', program: { script: '' }, cwd: '.' },
    workspace: stateDir,
    sandbox: { kind: 'none', write: [], readPaths: [], network: 'none' },
    env: {},
    secretNames: [],
    timeoutMs: null,
    orphanLimitMs: 60_000,
    ...change,
  };
  const again = (): HostedAttempt | null =>
    startHostedAttempt({
      stateDir,
      socketDir: stateDir,
      lease: {
        ...{ protocol: PROTOCOL, host: identityOf(process.pid)! },
        ...{ socket: join(stateDir, 'host'), token: '' },
      },
      spec,
      secretByName: {},
      work,
      graceMs: 0,
      log: (line) => expect.fail(line),
    });
  const facts = async (): Promise<readonly HostFact[]> => {
    const reader = createSpoolReader(attemptFolder(stateDir, spec).spool);
    const read = await reader.next();
    await reader.close();
    return read;
  };
  return { attempt: again()!, again, facts };
}

test('[AH22] a gate does not use up the time limit while it waits', async () => {
  const asking = start(
    async (context) => {
      await context.gate(QUESTION);
      return DONE;
    },
    { timeoutMs: 50 },
  );
  const other = start(untilStopped, { timeoutMs: 50 });
  await other.attempt.done;
  expect((await other.facts()).at(-1)).toMatchObject({
    outcome: { status: 'failed', failure: { code: 'timed_out' } },
  });
  asking.attempt.answer('g1', 'allow', '');
  await asking.attempt.done;
  expect((await asking.facts()).at(-1)).toMatchObject({ outcome: { status: 'succeeded' } });
});

test('[AH13] the orphan limit counts only while nobody follows, and then anew', async () => {
  const followed = start(untilStopped, { orphanLimitMs: 50 });
  const unfollow = followed.attempt.follow(() => undefined);
  const alone = start(untilStopped, { orphanLimitMs: 100 });
  await alone.attempt.done;
  expect((await alone.facts()).at(-1)).toMatchObject({
    outcome: { failure: { code: 'orphaned' } },
  });
  expect(await followed.facts()).toEqual([]);
  unfollow();
  await followed.attempt.done;
  expect((await followed.facts()).at(-1)).toMatchObject({
    outcome: { failure: { code: 'orphaned' } },
  });
});

test('[AH6] the first cause of a stop is the one that is recorded', async () => {
  const { attempt, facts } = start(untilStopped);
  attempt.stop({ type: 'stalled' });
  attempt.stop({ type: 'asked', reason: 'late' });
  await attempt.done;
  expect((await facts()).at(-1)).toMatchObject({ outcome: { failure: { code: 'stalled' } } });
});

test('[AH15] an attempt is started once, also by the same host', async () => {
  const { attempt, again, facts } = start(async () => DONE);
  expect(again()).toBeNull();
  await attempt.done;
  expect(again()).toBeNull();
  expect(await facts()).toHaveLength(1);
});
