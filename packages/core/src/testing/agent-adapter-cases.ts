/** What every agent adapter must do, as data: a runner loops over the cases with a harness of its own. */
import { InvariantError } from '../base/invariant.ts';
import type { JsonObject } from '../base/json.ts';
import type { ResumeToken } from '../machine/events.ts';
import type {
  AgentFactBody,
  AgentHandle,
  AgentOutcome,
  GateAnswer,
  GateQuestion,
} from '../ports/agent-adapter.ts';
import type { AgentWork } from '../ports/attempt-hosts.ts';

/** What the model says, turn by turn, in the words of a script file. */
export interface TrialTurn {
  readonly say?: string;
  readonly calls?: readonly (
    | { readonly write: { readonly path: string; readonly content: string } }
    | { readonly edit: { readonly path: string; readonly old: string; readonly new: string } }
    | { readonly read: string }
    | { readonly bash: string }
  )[];
  readonly answer?: JsonObject;
  readonly error?: {
    readonly status: number;
    readonly type: string;
    readonly times?: number;
    readonly retryAfterS?: number;
    readonly final?: true;
  };
  readonly breaks?: { readonly how: 'cut' | 'nonsense' | 'endless'; readonly times?: number };
  readonly stall?: true;
}

/** One attempt. Left out: all tools, every file, no limit, no answer wanted, a new session, a gate that allows. */
export interface AgentTrial {
  readonly turns: readonly TrialTurn[];
  readonly tools?: readonly string[];
  readonly write?: readonly string[];
  readonly maxTurns?: number;
  readonly outputSchema?: JsonObject;
  readonly session?: AgentWork['session'];
  readonly gate?: (question: GateQuestion) => Promise<GateAnswer>;
}

export interface TrialAttempt {
  readonly handle: AgentHandle;
  /** So far, oldest first. */
  readonly facts: readonly AgentFactBody[];
  /** That reached the host's gate so far. */
  readonly questions: readonly GateQuestion[];
}

/** A workspace with a state folder, for one attempt after the other; empty at first. */
export interface AgentBench {
  start(trial: AgentTrial): TrialAttempt;
  /** Absolute path of a folder beside the workspace. */
  readonly outside: string;
  /** Text of a file, by its path in the workspace or an absolute one; null when there is none. */
  read(path: string): string | null;
  write(path: string, content: string): void;
  remove(path: string): void;
  /** Makes a symbolic link in the workspace. */
  link(path: string, target: string): void;
  /** Whether a process whose command line holds `mark` lives. */
  isRunning(mark: string): boolean;
  canResume(token: ResumeToken): Promise<boolean>;
  /** Whether the model was sent `text` (plain ASCII) by any attempt so far. */
  wasSent(text: string): boolean;
  until(condition: () => boolean): Promise<void>;
}

export interface AgentAdapterHarness {
  /** The runner removes it. */
  readonly createBench: () => Promise<AgentBench>;
}

export interface AgentAdapterCase {
  /** In packages/core/SPEC.md. */
  readonly rule: string;
  readonly name: string;
  /** Rejects when the adapter breaks the rule. */
  readonly run: (harness: AgentAdapterHarness) => Promise<void>;
}

export const TRIAL_SESSION = '3f0c8f3e-95b6-4a4c-9f43-0d8a4a5f7b21';
const ALLOW: GateAnswer = { decision: 'allow' };
const SUMMARY_SCHEMA: JsonObject = {
  type: 'object',
  properties: { summary: { type: 'string' } },
  required: ['summary'],
  additionalProperties: false,
};

export const AGENT_ADAPTER_CASES: readonly AgentAdapterCase[] = [
  {
    rule: 'AG1',
    name: 'an agent says what it does, ends well, and its last words are its text',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { facts, outcome } = await play(bench, {
        turns: [{ say: 'First I write.', calls: [write('one.txt', '1')] }, { say: 'All done.' }],
      });
      equal([outcome.status, outcome.text], ['succeeded', 'All done.'], 'status and text');
      equal(outcome.failure, null, 'the failure');
      equal(messages(facts), ['First I write.', 'All done.'], 'the messages');
      equal(tools(facts), ['Write one.txt', 'ok'], 'the tool calls');
      equal(bench.read('one.txt'), '1', 'the file');
    },
  },
  {
    rule: 'AG2',
    name: 'the session it was given is its first fact, and can be resumed by',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { facts } = await play(bench, { turns: [{ say: 'Hello.' }] });
      equal(facts[0]?.type, 'session', 'the first fact');
      equal(sessionOf(facts).session, TRIAL_SESSION, 'the session');
      equal(await bench.canResume(sessionOf(facts)), true, 'whether it can be resumed');
    },
  },
  {
    rule: 'AG3',
    name: 'a tool call waits for the gate, which is told what it is',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const seen: (string | null)[] = [];
      const { questions } = await play(bench, {
        turns: [
          { calls: [write('one.txt', 'before')] },
          { calls: [edit('one.txt', 'before', 'after')] },
          { calls: [{ bash: 'cp one.txt two.txt' }] },
          { say: 'Done.' },
        ],
        gate: async () => {
          seen.push(bench.read('two.txt') ?? bench.read('one.txt'));
          return ALLOW;
        },
      });
      equal(seen, [null, 'before', 'after'], 'what was there when the gate was asked');
      equal(bench.read('two.txt'), 'after', 'what came of it');
      equal(
        questions.map(({ tool, name, title }) => [tool, name, title]),
        [
          ['edit', 'Write', 'Write one.txt'],
          ['edit', 'Edit', 'Edit one.txt'],
          ['exec', 'Bash', 'Run cp one.txt two.txt'],
        ],
        'the questions',
      );
    },
  },
  {
    rule: 'AG4',
    name: 'a denied call has no effect, is told as denied, and the agent goes on',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { facts, outcome } = await play(bench, {
        turns: [
          { calls: [{ bash: 'touch one.txt' }] },
          { calls: [write('two.txt', '2')] },
          { say: 'Done.' },
        ],
        gate: async ({ tool }) =>
          tool === 'exec' ? { decision: 'deny', reason: 'not today' } : ALLOW,
      });
      equal([bench.read('one.txt'), bench.read('two.txt')], [null, '2'], 'the files');
      equal(tools(facts), ['Run touch one.txt', 'denied', 'Write two.txt', 'ok'], 'the tool calls');
      equal(outcome.status, 'succeeded', 'the end');
    },
  },
  {
    rule: 'AG4',
    name: 'the reason of a denial is told with the end of the call',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { facts } = await play(bench, {
        turns: [{ calls: [write('one.txt', '1')] }, { say: 'Done.' }],
        gate: async () => ({ decision: 'deny', reason: 'not before the review' }),
      });
      const ends = facts.flatMap((fact) => (fact.type === 'tool-ended' ? [fact.summary] : []));
      equal(ends.length, 1, 'the number of calls');
      equal(ends[0]?.includes('not before the review'), true, `whether ${ends[0] ?? ''} has it`);
    },
  },
  {
    rule: 'AG4',
    name: 'a gate that breaks has said no',
    run: async ({ createBench }) => {
      const bench = await createBench();
      await play(bench, {
        turns: [{ calls: [write('one.txt', '1')] }, { say: 'Done.' }],
        gate: () => Promise.reject(new Error('the gate is broken')),
      });
      equal(bench.read('one.txt'), null, 'the file');
    },
  },
  {
    rule: 'AG5',
    name: 'a tool outside the scope has no effect and asks nobody',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { questions } = await play(bench, {
        tools: ['read'],
        turns: [
          { calls: [write('one.txt', '1'), { bash: 'touch two.txt' }] },
          { say: 'I could not.' },
        ],
      });
      equal([bench.read('one.txt'), bench.read('two.txt')], [null, null], 'the files');
      equal(questions, [], 'the questions');
    },
  },
  {
    rule: 'AG6',
    name: 'file tools write nothing but the files in scope, and follow no link out of it, and ask nobody for it',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const stolen = `${bench.outside}/stolen.txt`;
      bench.link('docs/out', bench.outside);
      const { questions } = await play(bench, {
        write: ['docs/**'],
        turns: [
          {
            calls: [
              write('src.txt', '1'),
              write(stolen, '2'),
              write('docs/out/stolen.txt', '3'),
              write('docs/../src.txt', '4'),
              write('docs/ok.txt', '5'),
            ],
          },
          { say: 'Done.' },
        ],
      });
      equal([bench.read('src.txt'), bench.read(stolen)], [null, null], 'the files out of scope');
      equal(bench.read('docs/ok.txt'), '5', 'the file in scope');
      equal(questions.length, 1, 'the number of questions');
    },
  },
  {
    rule: 'AG6',
    name: 'file tools read nothing outside the workspace',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const secret = `${bench.outside}/secret.txt`;
      bench.write(secret, 'the secret');
      bench.link('link.txt', secret);
      const { questions, facts } = await play(bench, {
        turns: [{ calls: [{ read: secret }, { read: 'link.txt' }] }, { say: 'Done.' }],
      });
      equal(questions, [], 'the questions');
      equal(JSON.stringify(facts).includes('the secret'), false, 'whether it was read');
    },
  },
  {
    rule: 'AG7',
    name: 'canceled during a tool, nothing of it runs and nothing comes after it',
    run: async ({ createBench }) => {
      const bench = await createBench();
      // Of this bench alone: others may run beside it.
      const mark = `${bench.outside}/mark`;
      const { handle, facts, questions } = bench.start({
        turns: [
          { calls: [{ bash: `touch started; tail -f /dev/null --pid=1; echo ${mark}` }] },
          { calls: [write('after.txt', '1')] },
          { say: 'Done.' },
        ],
      });
      await bench.until(() => bench.read('started') !== null);
      equal(bench.isRunning(mark), true, 'whether it ran');
      await handle.cancel('enough');
      const { status } = await handle.done;
      equal(status, 'stopped', 'the status');
      equal(bench.isRunning(mark), false, 'whether anything still runs');
      equal([bench.read('after.txt'), questions.length], [null, 1], 'what came after');
      equal(tools(facts).at(-1), 'interrupted', 'the end of the call');
    },
  },
  {
    rule: 'AG7',
    name: 'canceled while a gate waits, a late yes has no effect',
    run: async ({ createBench }) => {
      const bench = await createBench();
      let answer: (answer: GateAnswer) => void = () => undefined;
      const { handle, questions } = bench.start({
        turns: [{ calls: [write('one.txt', '1')] }, { say: 'Done.' }],
        gate: () => new Promise((resolve) => (answer = resolve)),
      });
      await bench.until(() => questions.length === 1);
      const canceled = handle.cancel('enough');
      answer(ALLOW);
      await canceled;
      equal((await handle.done).status, 'stopped', 'the status');
      equal(bench.read('one.txt'), null, 'the file');
      await handle.cancel('once more');
    },
  },
  {
    rule: 'AG8',
    name: 'a resumed agent goes on in its session and repeats nothing that was finished',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const first = bench.start({
        turns: [{ calls: [write('one.txt', '1')] }, { stall: true }],
      });
      await bench.until(() => tools(first.facts).includes('ok'));
      await first.handle.cancel('enough');
      const token = sessionOf(first.facts);
      equal(await bench.canResume(token), true, 'whether it can be resumed');
      const second = await play(bench, {
        session: { kind: 'resume', token },
        turns: [
          { calls: [write('one.txt', 'again')] },
          { calls: [write('two.txt', '2')] },
          { say: 'Done.' },
        ],
      });
      equal(sessionOf(second.facts), token, 'the session');
      equal(tools(second.facts), ['Write two.txt', 'ok'], 'the calls of the second attempt');
      equal([second.outcome.status, second.outcome.text], ['succeeded', 'Done.'], 'the end');
      equal([bench.read('one.txt'), bench.read('two.txt')], ['1', '2'], 'the files');
    },
  },
  {
    rule: 'AG8',
    name: 'an agent that had finished takes up more work in the same session',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const turns: readonly TrialTurn[] = [
        { calls: [write('one.txt', '1')] },
        { say: 'Done.' },
        { calls: [edit('one.txt', '1', 'better')] },
        { say: 'Corrected.' },
      ];
      const first = await play(bench, { turns });
      equal(first.outcome.text, 'Done.', 'the first end');
      const token = sessionOf(first.facts);
      const second = await play(bench, { session: { kind: 'resume', token }, turns });
      equal([second.outcome.status, second.outcome.text], ['succeeded', 'Corrected.'], 'the end');
      equal(bench.read('one.txt'), 'better', 'the file');
    },
  },
  {
    rule: 'AG9',
    name: 'a session that is not there, or of another version, is refused',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { facts } = await play(bench, { turns: [{ say: 'Hello.' }] });
      const token = sessionOf(facts);
      const others: readonly ResumeToken[] = [
        { ...token, session: 'b1a7e1c2-0000-4000-8000-000000000000' },
        { ...token, session: '../../etc/passwd' },
        { ...token, adapterVersion: '999' },
      ];
      for (const other of others) {
        equal(await bench.canResume(other), false, `whether ${JSON.stringify(other)} can go on`);
      }
    },
  },
  {
    rule: 'AG10',
    name: 'a structured answer is checked and handed over',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { outcome } = await play(bench, {
        outputSchema: SUMMARY_SCHEMA,
        turns: [{ answer: { summary: 'It works.' } }, { say: 'Done.' }],
      });
      equal(outcome.status, 'succeeded', 'the status');
      equal(outcome.structured, { summary: 'It works.' }, 'the answer');
    },
  },
  {
    rule: 'AG10',
    name: 'an answer that is missing is no success',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { outcome } = await play(bench, {
        outputSchema: SUMMARY_SCHEMA,
        turns: [{ say: 'It works.' }],
      });
      equal([outcome.status, outcome.structured], ['invalid-output', null], 'status and answer');
      equal(outcome.failure?.code, 'invalid_output', 'the failure');
    },
  },
  {
    rule: 'AG10',
    name: 'an answer that does not fit its schema is no success',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { outcome } = await play(bench, {
        outputSchema: SUMMARY_SCHEMA,
        turns: [{ answer: { summary: 7 } }, { say: 'That is all I have.' }],
      });
      equal([outcome.status, outcome.structured], ['invalid-output', null], 'status and answer');
    },
  },
  {
    rule: 'AG11',
    name: 'an error of the model is a failure, whatever the program calls it',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { outcome } = await play(bench, {
        turns: [{ error: { status: 400, type: 'invalid_request_error' } }],
      });
      equal(outcome.status, 'failed', 'the status');
      equal(outcome.failure?.code, 'model_error', 'the failure');
      equal(outcome.retryable, false, 'whether it may be tried again');
    },
  },
  {
    rule: 'AG11',
    name: 'an error that passes is told and overcome',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { outcome, facts } = await play(bench, {
        turns: [{ error: { status: 529, type: 'overloaded_error', times: 1 }, say: 'Done.' }],
      });
      equal([outcome.status, outcome.text], ['succeeded', 'Done.'], 'status and text');
      const notices = facts.filter(({ type }) => type === 'notice');
      equal(JSON.stringify(notices).includes('529'), true, 'whether it was told');
    },
  },
  ...[500, 529].map((status): AgentAdapterCase => {
    return {
      rule: 'AG102',
      name: `an answer of ${status} is overcome when it passes`,
      run: async ({ createBench }) => {
        const { outcome } = await play(await createBench(), {
          turns: [{ error: { status, type: 'overloaded_error', times: 2 }, say: 'Done.' }],
        });
        equal([outcome.status, outcome.text], ['succeeded', 'Done.'], 'status and text');
      },
    };
  }),
  ...(
    [
      [401, 'authentication_error', false],
      [429, 'rate_limit_error', true],
      [500, 'api_error', true],
      [529, 'overloaded_error', true],
    ] as const
  ).map(([status, type, retryable]): AgentAdapterCase => {
    const again = retryable ? 'may be tried again' : 'is not tried again by itself';
    return {
      rule: 'AG102',
      name: `a model that answers ${status} for good is a failure that ${again}`,
      run: async ({ createBench }) => {
        const { outcome } = await play(await createBench(), {
          // Said to be final, as programs ask for minutes otherwise.
          turns: [{ error: { status, type, final: true } }],
        });
        equal([outcome.status, outcome.failure?.code], ['failed', 'model_error'], 'the end');
        equal(outcome.retryable, retryable, 'whether it may be tried again');
      },
    };
  }),
  {
    rule: 'AG102',
    name: 'a rate limit is waited out for as long as the service says',
    run: async ({ createBench }) => {
      const { outcome } = await play(await createBench(), {
        turns: [
          {
            error: { status: 429, type: 'rate_limit_error', retryAfterS: 1, times: 1 },
            say: 'Done.',
          },
        ],
      });
      equal([outcome.status, outcome.text], ['succeeded', 'Done.'], 'status and text');
    },
  },
  ...(['cut', 'nonsense'] as const).map((how): AgentAdapterCase => {
    const what = how === 'cut' ? 'an answer that is cut off' : 'an answer that makes no sense';
    return {
      rule: 'AG103',
      name: `${what} is asked for again, and nothing of the half is taken for the whole`,
      run: async ({ createBench }) => {
        const bench = await createBench();
        const { outcome, facts } = await play(bench, {
          turns: [{ calls: [write('one.txt', '1')] }, { breaks: { how, times: 1 }, say: 'Done.' }],
        });
        equal([outcome.status, outcome.text], ['succeeded', 'Done.'], 'status and text');
        equal(tools(facts), ['Write one.txt', 'ok'], 'the tool calls');
      },
    };
  }),
  {
    rule: 'AG103',
    name: 'an answer that never ends is broken off, and the agent fails',
    run: async ({ createBench }) => {
      const { outcome } = await play(await createBench(), {
        turns: [{ breaks: { how: 'endless' } }],
      });
      equal([outcome.status, outcome.failure?.code], ['failed', 'model_error'], 'the end');
      equal(outcome.retryable, false, 'whether it may be tried again');
    },
  },
  {
    rule: 'AG104',
    name: 'an answer that never meets its schema is no success, and may be tried again',
    run: async ({ createBench }) => {
      const { outcome } = await play(await createBench(), {
        outputSchema: SUMMARY_SCHEMA,
        turns: Array.from({ length: 40 }, () => ({ answer: { summary: 7 } })),
      });
      equal([outcome.status, outcome.structured], ['invalid-output', null], 'status and answer');
      equal(outcome.failure?.code, 'invalid_output', 'the failure');
      equal(outcome.retryable, true, 'whether it may be tried again');
    },
  },
  {
    rule: 'AG105',
    name: 'an agent whose model falls silent can be canceled, and goes on in its session',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const turns = [{ calls: [write('one.txt', '1')] }];
      const first = bench.start({ turns: [...turns, { stall: true }] });
      await bench.until(() => tools(first.facts).includes('ok'));
      await first.handle.cancel('it says nothing');
      const { status, retryable } = await first.handle.done;
      equal([status, retryable], ['stopped', true], 'the end');
      const session = { kind: 'resume', token: sessionOf(first.facts) } as const;
      const second = await play(bench, { session, turns: [...turns, { say: 'Done.' }] });
      equal([second.outcome.status, second.outcome.text], ['succeeded', 'Done.'], 'the end');
    },
  },
  {
    rule: 'AG12',
    name: 'an agent that uses up its turns has reached its limit',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { outcome } = await play(bench, {
        maxTurns: 1,
        turns: [
          { calls: [write('one.txt', '1')] },
          { calls: [write('two.txt', '2')] },
          { say: 'Done.' },
        ],
      });
      equal(outcome.status, 'limit-reached', 'the status');
      equal(outcome.failure?.code, 'limit_reached', 'the failure');
      equal([bench.read('one.txt'), bench.read('two.txt')], ['1', null], 'the files');
    },
  },
  {
    rule: 'AG13',
    name: 'what nobody knows of its usage is null, and a scripted model has cost nothing that is known',
    run: async ({ createBench }) => {
      const bench = await createBench();
      const { outcome } = await play(bench, { turns: [{ say: 'Done.' }] });
      equal(outcome.usage?.usd ?? null, null, 'the cost');
      equal(outcome.usage?.inputTokens === 0, false, 'whether no token is said to be used');
    },
  },
];

async function play(
  bench: AgentBench,
  trial: AgentTrial,
): Promise<TrialAttempt & { readonly outcome: AgentOutcome }> {
  const attempt = bench.start(trial);
  return { ...attempt, outcome: await attempt.handle.done };
}

function write(path: string, content: string) {
  return { write: { path, content } };
}

function edit(path: string, old: string, replacement: string) {
  return { edit: { path, old, new: replacement } };
}

function messages(facts: readonly AgentFactBody[]): readonly string[] {
  return facts.flatMap((fact) => (fact.type === 'message' ? [fact.text] : []));
}

/** Titles of calls and how they ended, in the order they were told. */
function tools(facts: readonly AgentFactBody[]): readonly string[] {
  return facts.flatMap((fact) => {
    if (fact.type === 'tool-started') return [fact.title];
    return fact.type === 'tool-ended' ? [fact.status] : [];
  });
}

function sessionOf(facts: readonly AgentFactBody[]): ResumeToken {
  const fact = facts.find(({ type }) => type === 'session');
  if (fact?.type !== 'session') throw new InvariantError('no session was reported');
  return fact.token;
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [found, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (found !== wanted) throw new InvariantError(`${what}: expected ${wanted}, found ${found}`);
}
