/** Real agents in real hosts, whose hosts are killed: nothing of them lives on, and their session is gone on with. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApprovalView, RunView } from '@ccdash/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { killIfAlive, openBench, stepOf } from './engine-fixture.ts';
import type { Bench } from './engine-fixture.ts';
import { processesWith, until } from './host-fixture.ts';

/** Three calls, of which the last is never over the first time. */
const SCRIPT = {
  version: 1,
  scripts: [
    {
      turns: [
        { say: 'I begin.', calls: [{ write: { path: 'one.txt', content: 'one\n' } }] },
        { calls: [{ bash: 'cp one.txt two.txt' }] },
        { calls: [{ bash: 'touch begun; test -e again || tail -f /dev/null; touch over' }] },
        { say: 'All done.' },
      ],
    },
  ],
};
const HEAD = "scope: { tools: [read, edit, exec], write: ['**'] }";
const MODEL: Readonly<Record<string, string>> = { claude: 'claude-sonnet-4-5', codex: 'gpt-5.5' };
const plan = (adapter: string): string =>
  `  - { id: work, agent: ${adapter}, model: ${MODEL[adapter] ?? ''}, prompt: Do it., onInterrupt: ask }\n`;

let bench: Bench;
beforeAll(async () => {
  bench = await openBench({ 'a.txt': 'a\n' });
  await bench.letGo();
  const script = join(bench.folder, 'script.json');
  writeFileSync(script, JSON.stringify(SCRIPT));
  process.env['CCDASH_SCRIPTED_MODEL'] = script;
  await bench.open();
});
afterAll(async () => {
  delete process.env['CCDASH_SCRIPTED_MODEL'];
  await bench.close();
});

interface Fact {
  readonly type: string;
  readonly callId?: string;
  readonly status?: string;
  readonly title?: string;
}

function factsOf(runId: string, attempt: number): readonly Fact[] {
  return bench.events(runId, 'AttemptReported').flatMap(({ data }) => {
    const reported = data as unknown as { attempt: number; facts: readonly Fact[] };
    return reported.attempt === attempt ? reported.facts : [];
  });
}

function killHost(runId: string, attempt: number): void {
  const path = join(bench.stateDir, 'attempts', runId, 'work', String(attempt), 'lease.json');
  const { host } = JSON.parse(readFileSync(path, 'utf8')) as { host: { pid: number } };
  killIfAlive(host.pid);
}

/** Says yes to all that it asks until `holds`. */
function allow(runId: string, holds: () => boolean): Promise<void> {
  const asked = (): readonly ApprovalView[] =>
    bench
      .workbench()
      .approvals()
      .filter((each) => each.runId === runId && each.status === 'open');
  return until(async () => {
    if (holds()) return true;
    for (const approval of asked()) await bench.decide(approval, 'approve');
    return false;
  });
}

const statusOf = (runId: string): string => bench.workbench().run(runId)?.status ?? '';
const isInterrupted = (run: RunView): boolean => stepOf(run, 'work').status === 'interrupted';

describe.each(['claude', 'codex'])('the host of %s', (adapter) => {
  test.for([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
    '[AG110] killed once %i facts are in the log leaves no process, and the session goes on from there',
    async (count) => {
      const runId = await bench.launch(plan(adapter), HEAD);
      await allow(runId, () => factsOf(runId, 1).length >= count);
      killHost(runId, 1);
      await bench.until(runId, isInterrupted);
      const tree = bench.inTree(runId, '.').replace(/\/\.$/, '');
      await until(() => processesWith(tree).length === 0);
      const ends = factsOf(runId, 1).filter(({ type }) => type === 'tool-ended');
      const begun = factsOf(runId, 1).filter(({ type }) => type === 'tool-started');
      expect(ends.map(({ callId }) => callId)).toEqual(begun.map(({ callId }) => callId));
      writeFileSync(join(tree, 'again'), '');
      expect(await bench.ask(runId, { type: 'resume', step: 'work', reason: null })).toBe('ok');
      await allow(runId, () => ['succeeded', 'failed'].includes(statusOf(runId)));
      const [first, second] = stepOf(await bench.rest(runId), 'work').attempts;
      expect(second).toMatchObject({
        status: 'succeeded',
        resumedFrom: 1,
        // One that had done nothing may have no session yet.
        ...(first?.toolCalls === 0 ? {} : { session: { session: first?.session?.session } }),
      });
      expect(processesWith(tree)).toEqual([]);
    },
  );

  test('[AG110] [AG111] killed during a command says that nobody knows its end, and nothing of it goes on', async () => {
    const runId = await bench.launch(plan(adapter), HEAD);
    const tree = bench.inTree(runId, '.').replace(/\/\.$/, '');
    await allow(runId, () => existsSync(join(tree, 'begun')));
    await until(() => processesWith('tail -f /dev/null').length > 0);
    killHost(runId, 1);
    await bench.until(runId, isInterrupted);
    expect(factsOf(runId, 1).findLast(({ type }) => type === 'tool-ended')?.status).toBe('unknown');
    await until(() => processesWith(tree).length === 0);
  });
});
