import { fileURLToPath } from 'node:url';
import type { AgentFactBody, GateAnswer } from '@ccdash/core';
import { afterEach, describe, expect, test } from 'vitest';
import { createAgentBench } from '../src/agents/conformance/agent-bench.ts';
import type { BenchTrial, OpenBench } from '../src/agents/conformance/agent-bench.ts';
import { createAdapters } from '../src/agents/registry.ts';

const TRIAL_AGENT = fileURLToPath(new URL('./children/trial-acp-agent.ts', import.meta.url));

const benches: OpenBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

async function openBench(acts: readonly object[], version = '1'): Promise<OpenBench> {
  const launch = {
    command: [process.execPath, TRIAL_AGENT],
    env: { ACTS: JSON.stringify(acts), AGENT_VERSION: version },
    read: [],
    mode: null,
    session: {},
  };
  const bench = await createAgentBench('acp:trial', createAdapters({ trial: launch }));
  benches.push(bench);
  return bench;
}

async function play(acts: readonly object[], trial: Partial<BenchTrial> = {}) {
  const bench = await openBench(acts);
  const { handle, facts, questions } = bench.start({
    turns: [{ say: 'x' }],
    model: null,
    ...trial,
  });
  const outcome = await handle.done;
  const answers = outcome.text === '' ? [] : (JSON.parse(outcome.text) as unknown[]);
  return { bench, outcome, facts, questions, answers };
}

function told(toolCallId: string, more: object): object {
  return { update: { sessionUpdate: 'tool_call', toolCallId, title: 'it', ...more } };
}

const OPTIONS = [
  { optionId: 'a', name: 'Always', kind: 'allow_always' },
  { optionId: 'b', name: 'No', kind: 'reject_once' },
  { optionId: 'c', name: 'Yes', kind: 'allow_once' },
];

function asks(toolCallId: string, more: object, options: readonly object[] = OPTIONS): object {
  const toolCall = { toolCallId, title: 'it', ...more };
  return { request: 'session/request_permission', params: { toolCall, options } };
}

function ends(facts: readonly AgentFactBody[]): readonly string[] {
  return facts.flatMap((fact) => (fact.type === 'tool-ended' ? [fact.status] : []));
}

const NO: GateAnswer = { decision: 'deny', reason: 'not today' };
const selected = (optionId: string) => ({ outcome: { outcome: 'selected', optionId } });
const CANCELED = { outcome: { outcome: 'cancelled' } };

describe('an agent by the protocol', () => {
  test('[AG62] is asked about every file that was told of a call, also what its question leaves out', async () => {
    const { questions, answers } = await play(
      [
        told('1', { kind: 'edit', locations: [{ path: 'docs/a.md' }] }),
        asks('1', { locations: [{ path: 'docs/b.md' }] }),
        told('2', { kind: 'edit', rawInput: { filePath: 'src/a.ts' } }),
        asks('2', { locations: [{ path: 'docs/b.md' }] }),
        asks('3', { kind: 'edit' }),
        asks('4', { kind: 'execute', title: 'npm test' }),
        asks('5', { kind: 'other', title: 'Read docs/a.md' }),
      ],
      { write: ['docs/**'] },
    );
    expect(questions.map(({ title }) => title)).toEqual(['Edit docs/a.md', 'Edit docs/b.md']);
    const no = selected('b');
    expect(answers).toEqual([selected('c'), no, no, no, no]);
  });

  test('[AG63] that did something unasked, or in spite of a no, is stopped, and its step fails', async () => {
    const run = { kind: 'execute', rawInput: { command: 'rm -rf x' } };
    const unasked = await play([
      told('1', { ...run, status: 'completed' }),
      asks('2', { kind: 'execute', rawInput: { command: 'ls' } }),
    ]);
    expect(unasked.outcome).toMatchObject({
      status: 'failed',
      retryable: false,
      failure: { code: 'gate_bypassed', message: expect.stringContaining('“it”') as string },
    });
    expect(unasked.questions).toEqual([]);
    const defiant = await play([asks('1', run), told('1', { status: 'completed' })], {
      gate: async () => NO,
    });
    expect(defiant.outcome.failure?.code).toBe('gate_bypassed');
    expect(ends(defiant.facts)).toEqual(['denied']);
  });

  test('[AG63] may read, search and think unasked, and fail at a tool that there is not', async () => {
    const { outcome, facts } = await play([
      told('1', { kind: 'read', status: 'completed' }),
      told('2', { kind: 'search', status: 'completed' }),
      told('3', { kind: 'think', status: 'completed' }),
      told('4', { kind: 'other', status: 'failed' }),
    ]);
    expect(outcome.status).toBe('succeeded');
    expect(ends(facts)).toEqual(['ok', 'ok', 'ok', 'error']);
  });

  test('[AG64] is answered by what an option means, never for more than one call, and canceled where none fits', async () => {
    const call = { kind: 'execute', rawInput: { command: 'ls' } };
    const always = OPTIONS.slice(0, 1);
    const never = [{ optionId: 'd', name: 'Never', kind: 'reject_always' }];
    const { answers } = await play([asks('1', call), asks('2', call, always), asks('3', call, [])]);
    expect(answers).toEqual([selected('c'), CANCELED, CANCELED]);
    const denied = await play([asks('1', call), asks('2', call, always), asks('3', call, never)], {
      gate: async () => NO,
    });
    expect(denied.answers).toEqual([selected('b'), CANCELED, selected('d')]);
  });

  test('[AG65] reads and writes files of its client as far as its scope goes, each by the gate', async () => {
    const path = 'docs/new/a.txt';
    const { answers, questions, bench, facts } = await play(
      [
        { request: 'fs/write_text_file', params: { path, content: 'one\ntwo\nthree\n' } },
        { request: 'fs/read_text_file', params: { path, line: 2, limit: 1 } },
        { request: 'fs/write_text_file', params: { path: 'src/a.txt', content: 'x' } },
        { request: 'fs/read_text_file', params: { path: '/etc/hostname' } },
        { request: 'fs/read_text_file', params: { path: 'docs/none.txt' } },
      ],
      { write: ['docs/**'] },
    );
    expect(answers).toEqual([
      {},
      { content: 'two' },
      expect.stringContaining('is not among the files'),
      expect.stringContaining('leads out of the workspace'),
      expect.stringContaining('No such file'),
    ]);
    expect(bench.read(path)).toBe('one\ntwo\nthree\n');
    expect(questions.map(({ title }) => title)).toEqual([
      `Write ${path}`,
      `Read ${path}`,
      'Read docs/none.txt',
    ]);
    expect(ends(facts)).toEqual(['ok', 'ok', 'denied', 'denied', 'error']);
  });

  test('[AG65] has its client carry out what was allowed without a second question', async () => {
    const { questions, facts, bench } = await play([
      asks('1', { kind: 'edit', locations: [{ path: 'a.txt' }] }),
      { request: 'fs/write_text_file', params: { path: 'a.txt', content: 'x' } },
      told('1', { status: 'completed' }),
      { request: 'fs/write_text_file', params: { path: 'a.txt', content: 'y' } },
    ]);
    expect(questions.map(({ callId }) => callId)).toEqual(['1', 'client-1']);
    expect(ends(facts)).toEqual(['ok', 'ok']);
    expect(bench.read('a.txt')).toBe('y');
  });

  test('[AG65] runs commands in terminals of its client by the gate, and leaves none behind', async () => {
    const mark = 'acp-agent-terminal-48213';
    const { answers, questions, bench, facts } = await play([
      {
        request: 'terminal/create',
        params: {
          command: 'sh',
          args: ['-c', 'echo $A; exit 3'],
          env: [{ name: 'A', value: 'hey' }],
        },
      },
      { request: 'terminal/wait_for_exit', params: {} },
      { request: 'terminal/output', params: {} },
      { request: 'terminal/release', params: {} },
      { request: 'terminal/output', params: {} },
      { request: 'terminal/create', params: { command: `tail -f /dev/null; echo ${mark}` } },
    ]);
    expect(questions.map(({ title }) => title)).toEqual([
      "Run sh -c 'echo $A; exit 3'",
      `Run tail -f /dev/null; echo ${mark}`,
    ]);
    expect(answers).toMatchObject([
      { terminalId: 'terminal-2' },
      { exitCode: 3 },
      { output: 'hey\n', truncated: false, exitStatus: { exitCode: 3 } },
      {},
      expect.stringContaining('no terminal'),
      {},
    ]);
    expect(bench.isRunning(mark)).toBe(false);
    expect(facts).toContainEqual(expect.objectContaining({ status: 'error', exitCode: 3 }));
  });

  test('[AG65] has no file and no terminal of its client that its scope lacks', async () => {
    const { answers, questions } = await play(
      [
        { request: 'fs/write_text_file', params: { path: 'a.txt', content: 'x' } },
        { request: 'terminal/create', params: { command: 'ls' } },
      ],
      { tools: ['read'] },
    );
    expect(answers).toEqual([
      expect.stringContaining('outside the scope'),
      expect.stringContaining('outside the scope'),
    ]);
    expect(questions).toEqual([]);
  });

  test('[AG66] goes on in a session only as the agent that began it', async () => {
    const bench = await openBench([]);
    const first = bench.start({ turns: [{ say: 'x' }], model: null });
    await first.handle.done;
    const [session] = first.facts;
    if (session?.type !== 'session') throw new Error('no session was told');
    const resume = {
      turns: [{ say: 'x' }],
      model: null,
      session: { kind: 'resume', token: session.token },
    } as const;
    expect((await bench.start(resume).handle.done).status).toBe('succeeded');
    const launch = { command: [process.execPath, TRIAL_AGENT], env: { AGENT_VERSION: '2' } };
    const refused = await bench.start({
      ...resume,
      launch: { ...launch, read: [], mode: null, session: {} },
    }).handle.done;
    expect(refused.failure).toMatchObject({
      code: 'resume_refused',
      message: 'the session was begun with trial 1; here is trial 2',
    });
  });

  test('[AG66] that cannot be told its model, or its mode, does not begin', async () => {
    const bench = await openBench([told('1', { kind: 'read', status: 'completed' })]);
    const { outcome } = {
      outcome: await bench.start({ turns: [{ say: 'x' }], model: 'm' }).handle.done,
    };
    expect(outcome).toMatchObject({
      status: 'failed',
      failure: { message: expect.stringContaining('it lets nobody choose its model') as string },
    });
  });
});
