/** What only the real program can show: its environment, its settings, its end, its own count of tokens. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentFactBody } from '@ccdash/core';
import { TRIAL_SESSION } from '@ccdash/core/testing';
import { afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createAdapters } from '../src/agents/registry.ts';
import { BENCH_TOKEN, createAgentBench } from '../src/agents/conformance/agent-bench.ts';
import type { OpenBench } from '../src/agents/conformance/agent-bench.ts';
import { filesWith, isRunning, processesWith } from './host-fixture.ts';

beforeAll(async () => {
  const probe = await createAdapters().probe('claude');
  if (probe?.available !== true) {
    throw new Error(`Claude cannot be tested: ${probe?.problem ?? ''}. ${probe?.install ?? ''}`);
  }
});

const benches: OpenBench[] = [];
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.close();
});

async function openBench(): Promise<OpenBench> {
  const bench = await createAgentBench('claude');
  benches.push(bench);
  return bench;
}

/** A server of the Model Context Protocol that keeps a list of the calls it has had. */
const MCP_SERVER = `
import fs from 'node:fs';
import { createInterface } from 'node:readline';
const inputSchema = { type: 'object', properties: { key: { type: 'string' } } };
const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'notes', version: '1' },
  }),
  'tools/list': () => ({ tools: ['put', 'drop'].map((name) => ({ name, inputSchema })) }),
  'tools/call': ({ name, arguments: { key } }) => {
    fs.appendFileSync('calls.txt', name + ' ' + key + '\\n');
    return { content: [{ type: 'text', text: 'done' }] };
  },
};
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  const result = answers[method]?.(params) ?? {};
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
});
`;

/** Ends with the bench at the latest: without a sandbox nothing else ends what a killed program had started. */
const LONG_CALL = { bash: 'touch started; while [ -e started ]; do sleep 0.05; done' };

function tokenOf(facts: readonly AgentFactBody[]) {
  const [first] = facts;
  if (first?.type !== 'session') throw new Error('the first fact is no session');
  return first.token;
}

describe('the program of Claude', () => {
  test('[AG22] knows nothing of the environment of its host, and leaves no token on disk', async () => {
    process.env['HOST_ONLY'] = 'of the host';
    onTestFinished(() => {
      delete process.env['HOST_ONLY'];
    });
    const bench = await openBench();
    const { handle } = bench.start({
      turns: [{ calls: [{ bash: 'env > env.txt' }] }, { say: 'Done.' }],
    });
    expect(await handle.done).toMatchObject({ status: 'succeeded' });
    const env = bench.read('env.txt') ?? '';
    expect(env).toContain(`CLAUDE_CONFIG_DIR=${bench.stateDir}`);
    expect(env).not.toContain('HOST_ONLY');
    expect(filesWith(bench.stateDir, BENCH_TOKEN)).toEqual([]);
    expect(filesWith(bench.stateDir, TRIAL_SESSION)).not.toEqual([]);
  });

  test('[AG22] takes no settings, hooks or servers from the repository', async () => {
    const bench = await openBench();
    mkdirSync(join(bench.workspace, '.claude'));
    const hook = { hooks: [{ type: 'command', command: `touch ${bench.workspace}/hooked` }] };
    bench.write(
      '.claude/settings.json',
      JSON.stringify({
        permissions: { allow: ['Bash(*)', 'Write(*)'] },
        hooks: { SessionStart: [hook], PreToolUse: [hook], Stop: [hook] },
      }),
    );
    const server = { command: 'touch', args: [join(bench.workspace, 'served')] };
    bench.write('.mcp.json', JSON.stringify({ mcpServers: { evil: server } }));
    const { handle, questions } = bench.start({
      turns: [{ calls: [{ bash: 'touch ran' }] }, { say: 'Done.' }],
      gate: async () => ({ decision: 'deny', reason: 'no' }),
    });
    await handle.done;
    expect(questions).toHaveLength(1);
    expect(['hooked', 'served', 'ran'].map((name) => bench.read(name))).toEqual([null, null, null]);
  });

  test('[AG97] reads the instructions of the repository where a step asks for them, and runs nothing of it', async () => {
    const bench = await openBench();
    mkdirSync(join(bench.workspace, '.claude'));
    const hook = { hooks: [{ type: 'command', command: `touch ${bench.workspace}/hooked` }] };
    bench.write('CLAUDE.md', 'Say PINEAPPLE at the end.');
    const settings = { permissions: { allow: ['Bash(*)'] }, hooks: { PreToolUse: [hook] } };
    bench.write('.claude/settings.json', JSON.stringify(settings));
    const server = { command: 'touch', args: [join(bench.workspace, 'served')] };
    bench.write('.mcp.json', JSON.stringify({ mcpServers: { evil: server } }));
    const turns = [
      { calls: [{ bash: 'touch ran' }] },
      { calls: [{ write: { path: '.claude/settings.json', content: '{}' } }] },
      { say: 'Done.' },
    ];
    const without = bench.start({ turns: [{ say: 'Done.' }] });
    await without.handle.done;
    expect(bench.wasSent('PINEAPPLE')).toBe(false);
    const { handle, questions } = bench.start({
      session: { kind: 'new', id: '3f0c8f3e-95b6-4a4c-9f43-0d8a4a5f7b22' },
      ext: { claude: { settings: 'project' } },
      turns,
      gate: async () => ({ decision: 'deny', reason: 'no' }),
    });
    expect(await handle.done).toMatchObject({ status: 'succeeded' });
    expect(bench.wasSent('PINEAPPLE')).toBe(true);
    expect(questions.map(({ title }) => title)).toEqual(['Run touch ran']);
    expect(['hooked', 'served', 'ran'].map((name) => bench.read(name))).toEqual([null, null, null]);
  });

  test.each([
    ['{"apiKeyHelper":"touch helped"}', 'apiKeyHelper'],
    ['{"env":{"NODE_OPTIONS":"--x"}}', 'env'],
    ['{"permissions":{"defaultMode":"bypassPermissions"}}', 'permissions.defaultMode'],
    ['{', 'cannot be read'],
    ['[1]', '0'],
    ['null', 'is no object'],
  ])('[AG97] refuses settings of the repository that run programs: %s', async (text, named) => {
    const bench = await openBench();
    mkdirSync(join(bench.workspace, '.claude'));
    bench.write('.claude/settings.json', text);
    const ext = { claude: { settings: 'project' } } as const;
    const { handle, questions } = bench.start({ ext, turns: [{ say: 'Done.' }] });
    const { status, failure } = await handle.done;
    expect([status, failure?.code, questions]).toEqual(['failed', 'invalid_options', []]);
    expect(failure?.message).toContain(named);
    expect(bench.read('helped')).toBeNull();
  });

  test('[AG98] uses the tools of servers that the scope names, each by the gate, and no other', async () => {
    const bench = await openBench();
    bench.write('server.mjs', MCP_SERVER);
    const mcp = { notes: { command: process.execPath, args: ['server.mjs'] } };
    const call = (name: string, key: string) => ({
      calls: [{ tool: { name: `mcp__notes__${name}`, input: { key } } }],
    });
    const { handle, questions, facts } = bench.start({
      tools: ['read', 'mcp:notes/put'],
      ext: { claude: { mcp } },
      turns: [],
      scripts: [
        { turns: [call('put', 'one'), call('put', 'two'), call('drop', 'one'), { say: 'Done.' }] },
      ],
      gate: async ({ input }) =>
        JSON.stringify(input).includes('two')
          ? { decision: 'deny', reason: 'not two' }
          : { decision: 'allow' },
    });
    expect(await handle.done).toMatchObject({ status: 'succeeded', text: 'Done.' });
    expect(questions.map(({ tool, title }) => [tool, title])).toEqual([
      ['mcp:notes/put', 'Use notes/put'],
      ['mcp:notes/put', 'Use notes/put'],
    ]);
    expect(bench.read('calls.txt')).toBe('put one\n');
    const ends = facts.flatMap((fact) => (fact.type === 'tool-ended' ? [fact.status] : []));
    expect(ends).toEqual(['ok', 'denied', 'denied']);
  });

  test('[AG99] takes a message while a tool of it works, and says so once the model has it', async () => {
    const bench = await openBench();
    const { handle, facts } = bench.start({
      turns: [{ calls: [LONG_CALL] }, { say: 'I use tabs.' }],
    });
    await bench.until(() => bench.read('started') !== null);
    const messageId = '7d0c8f3e-95b6-4a4c-9f43-0d8a4a5f7b21';
    handle.send?.(messageId, 'Please-use-tabs.');
    expect(facts.some(({ type }) => type === 'told')).toBe(false);
    bench.remove('started');
    expect(await handle.done).toMatchObject({ status: 'succeeded', text: 'I use tabs.' });
    expect(facts.filter(({ type }) => type === 'told')).toEqual([{ type: 'told', messageId }]);
    expect(bench.wasSent('Please-use-tabs.')).toBe(true);
  });

  test('[AG99] that has said its last words works on for a message that came in time, and never after a cancel', async () => {
    const bench = await openBench();
    let told = false;
    const turns = [
      { calls: [{ bash: 'true' }] },
      { say: 'Done.' },
      { calls: [{ bash: 'touch more' }] },
      { say: 'More.' },
    ];
    const { handle, facts } = bench.start({
      turns,
      gate: async () => {
        if (!told) handle.send?.('7d0c8f3e-95b6-4a4c-9f43-0d8a4a5f7b22', 'one more thing');
        told = true;
        return { decision: 'allow' };
      },
    });
    await handle.done;
    expect(facts.filter(({ type }) => type === 'told')).toHaveLength(1);
    const canceled = bench.start({
      session: { kind: 'new', id: '3f0c8f3e-95b6-4a4c-9f43-0d8a4a5f7b29' },
      turns: [{ calls: [LONG_CALL] }, { calls: [{ bash: 'touch after' }] }, { say: 'Done.' }],
    });
    await bench.until(() => bench.read('started') !== null);
    canceled.handle.send?.('7d0c8f3e-95b6-4a4c-9f43-0d8a4a5f7b23', 'go on');
    await canceled.handle.cancel('enough');
    expect(await canceled.handle.done).toMatchObject({ status: 'stopped' });
    expect(bench.read('after')).toBeNull();
  });

  test('[AG94] tells the model that answers, once it is known', async () => {
    const bench = await openBench();
    const { handle, facts } = bench.start({ model: 'sonnet', turns: [{ say: 'Done.' }] });
    await handle.done;
    const models = facts.flatMap((fact) => (fact.type === 'session' ? [fact.model] : []));
    expect(models).toEqual(['sonnet', expect.stringMatching(/^claude-sonnet-/)]);
  });

  test('[AG7] that does not answer when it is interrupted is killed', async () => {
    const bench = await openBench();
    const { handle } = bench.start({ turns: [{ calls: [LONG_CALL] }] });
    await bench.until(() => bench.read('started') !== null);
    const programs = processesWith(TRIAL_SESSION);
    expect(programs.length).toBeGreaterThan(0);
    for (const pid of programs) process.kill(pid, 'SIGSTOP');
    await handle.cancel('enough');
    expect(await handle.done).toMatchObject({ status: 'stopped' });
    expect(programs.filter(isRunning)).toEqual([]);
  });

  test('[AG11] that dies is a failure that may be tried again, and its open call has an unknown end', async () => {
    const bench = await openBench();
    const { handle, facts } = bench.start({ turns: [{ calls: [LONG_CALL] }] });
    await bench.until(() => bench.read('started') !== null);
    for (const pid of processesWith(TRIAL_SESSION)) process.kill(-pid, 'SIGKILL');
    expect(await handle.done).toMatchObject({
      status: 'failed',
      retryable: true,
      usage: null,
      failure: { code: 'agent_crashed' },
    });
    expect(facts.at(-1)).toMatchObject({ type: 'tool-ended', status: 'unknown' });
    expect(await bench.canResume(tokenOf(facts))).toBe(true);
  });

  test('[AG18] whose tokens are used up starts no further model call', async () => {
    const bench = await openBench();
    const usage = { input: 90, output: 10 };
    const write = { calls: [{ write: { path: 'one.txt', content: '1' } }], usage };
    const { handle } = bench.start({
      turns: [],
      scripts: [{ turns: [write, { say: 'Done.' }] }],
      maxTokens: 100,
    });
    expect(await handle.done).toMatchObject({ status: 'failed', retryable: false });
    expect(bench.gateway().usage()).toMatchObject({ inputTokens: 90, outputTokens: 10 });
    expect(bench.read('one.txt')).toBe('1');
  });

  test('[AG13] counts for each attempt what it has used, not what the session had used before', async () => {
    const bench = await openBench();
    const turns = [
      { calls: [{ write: { path: 'one.txt', content: '1' } }] },
      { say: 'Done.' },
      { say: 'Nothing more.' },
    ];
    const first = bench.start({ turns });
    const expected = { cachedTokens: 0, usd: null };
    expect((await first.handle.done).usage).toEqual({
      ...expected,
      inputTokens: 200,
      outputTokens: 40,
    });
    const session = { kind: 'resume', token: tokenOf(first.facts) } as const;
    const second = bench.start({ session, turns });
    const { text, usage } = await second.handle.done;
    expect([text, usage]).toEqual([
      'Nothing more.',
      { ...expected, inputTokens: 100, outputTokens: 20 },
    ]);
    expect(bench.gateway().usage()).toEqual(usage);
  });

  test('[AG14] that uses agents of its own is gated at each of their calls, which are told as theirs', async () => {
    const bench = await openBench();
    const input = { description: 'Count', prompt: 'count files', subagent_type: 'general-purpose' };
    const { handle, facts, questions } = bench.start({
      turns: [],
      scripts: [
        {
          when: 'count files',
          turns: [
            { say: 'I count.', calls: [{ bash: 'ls' }, { bash: 'touch no.txt' }] },
            { say: 'There is none.' },
          ],
        },
        { turns: [{ calls: [{ tool: { name: 'Agent', input } }] }, { say: 'Done.' }] },
      ],
      gate: async ({ title }) =>
        title.includes('no.txt') ? { decision: 'deny', reason: 'no' } : { decision: 'allow' },
    });
    expect(await handle.done).toMatchObject({ status: 'succeeded', text: 'Done.' });
    expect(questions.map(({ tool, title }) => `${tool}: ${title}`)).toEqual([
      'agent: Ask an agent: Count',
      'exec: Run ls',
      'exec: Run touch no.txt',
    ]);
    expect(bench.read('no.txt')).toBeNull();
    const agentCall = questions[0]!.callId;
    const path = (wanted: string): readonly string[] | undefined => {
      for (const fact of facts) {
        if (fact.type === 'message' && fact.text === wanted) return fact.agentPath;
        if (fact.type === 'tool-started' && fact.title === wanted) return fact.agentPath;
      }
      return undefined;
    };
    expect(['Ask an agent: Count', 'Run ls', 'Done.'].map(path)).toEqual([[], [agentCall], []]);
  });
});
