/** An agent that follows the list in its prompt: enough to see what the host does for any agent. */
import type { ChildProcess } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

import type { AgentAdapter, AgentOutcome, AgentRunContext } from '@ccdash/core';

export type TinyAct =
  | { readonly say: string }
  /** So many messages, as fast as they can be written. */
  | { readonly sayMany: number }
  /** Asks the gate, and says what it answered. */
  | { readonly ask: string }
  /** Runs a program in the sandbox and says what it printed. */
  | { readonly run: readonly string[] }
  /** Starts a tool and never hears of it again. */
  | { readonly openTool: string }
  /** Waits until it is told to stop. */
  | { readonly wait: true }
  | { readonly throw: string };

export function createTinyAdapter(): AgentAdapter<ChildProcess> {
  return {
    id: 'tiny',
    version: '1',
    capabilities: {
      permission: 'callback',
      resume: false,
      fork: false,
      resumeAt: false,
      structuredOutput: 'none',
      cost: 'none',
      cancel: 'signal',
      steering: 'restart',
      mcp: false,
      subagents: 'none',
      gateway: false,
    },
    probe: async () => ({
      available: true,
      adapterVersion: '1',
      sdkVersion: null,
      programVersion: null,
      problem: null,
      install: null,
    }),
    canResume: async () => ({ ok: true }),
    start: (context) => {
      let cancel: (reason: string) => void = () => undefined;
      const stop = new Promise<string>((resolve) => (cancel = resolve));
      return { done: follow(context, stop), cancel: async (reason) => cancel(reason) };
    },
  };
}

async function follow(
  context: AgentRunContext<ChildProcess>,
  stop: Promise<string>,
): Promise<AgentOutcome> {
  const say = (words: string): void =>
    context.emit({ type: 'message', text: words, checkpoint: null, agentPath: [] });
  const { work } = context;
  const token = {
    adapter: 'tiny',
    adapterVersion: '1',
    programVersion: '1',
    session: 'session-1',
    at: null,
  };
  context.emit({ type: 'session', token, model: null });
  let calls = 0;
  for (const act of JSON.parse(work.prompt) as readonly TinyAct[]) {
    calls += 1;
    if ('say' in act) say(act.say);
    else if ('sayMany' in act) {
      for (let index = 0; index < act.sayMany; index += 1) {
        say(`message ${index}`);
        if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } else if ('ask' in act) {
      const question = {
        callId: `c${calls}`,
        tool: 'exec',
        name: 'Bash',
        title: act.ask,
        input: {},
      };
      const answer = await context.gate(question);
      say(answer.decision === 'allow' ? `did ${act.ask}` : `may not ${act.ask}: ${answer.reason}`);
    } else if ('run' in act) {
      const [program = '', ...args] = act.run;
      const env = {
        ...context.env,
        BASE_URL: context.gateway.baseUrl,
        TOKEN: context.gateway.token,
      };
      const child = context.spawn(program, args, { cwd: context.workspace, env });
      void stop.then(() => child.kill('SIGTERM'));
      const printed = await text(child.stdout as Readable);
      say(printed);
    } else if ('openTool' in act) {
      const tool = {
        callId: act.openTool,
        tool: 'exec',
        name: 'Bash',
        title: 'a long build',
        input: {},
      };
      context.emit({ type: 'tool-started', ...tool, agentPath: [] });
    } else if ('throw' in act) throw new Error(act.throw);
    else {
      const reason = await stop;
      return { ...NOTHING, status: 'stopped', text: reason };
    }
  }
  return { ...NOTHING, status: 'succeeded', text: 'done' };
}

const NOTHING: AgentOutcome = {
  status: 'succeeded',
  text: '',
  structured: null,
  usage: null,
  failure: null,
  retryable: true,
};
