/**
 * What an agent may ask of its client: files and terminals, as far as the scope of the step has them. Each use is a call
 * like any other: it asks the gate, unless it carries out a call that was allowed; and it happens in the sandbox, by
 * programs of its own, as a link could lead this process anywhere.
 */
import type { ChildProcess } from 'node:child_process';
import { isAbsolute } from 'node:path';
import type {
  ClientCapabilities,
  CreateTerminalRequest,
  ReadTextFileRequest,
  TerminalOutputResponse,
  WaitForTerminalExitResponse,
  WriteTextFileRequest,
} from '@agentclientprotocol/sdk';
import type { AgentFactBody, AgentRunContext, Json, JsonObject } from '@ccdash/core';
import type { ToolGate } from '../tools/tool-gate.ts';
import { toolOfName, toolTitle } from '../tools/tool-names.ts';
import { quoted } from './acp-calls.ts';
import type { CallBook, Deed } from './acp-calls.ts';

export interface ClientServices {
  readonly capabilities: ClientCapabilities;
  /** All reject with what the agent is told. */
  readFile(request: ReadTextFileRequest): Promise<{ readonly content: string }>;
  writeFile(request: WriteTextFileRequest): Promise<Record<string, never>>;
  createTerminal(request: CreateTerminalRequest): Promise<{ readonly terminalId: string }>;
  terminalOutput(terminalId: string): TerminalOutputResponse;
  waitForExit(terminalId: string): Promise<WaitForTerminalExitResponse>;
  killTerminal(terminalId: string): Record<string, never>;
  releaseTerminal(terminalId: string): Record<string, never>;
  /** Ends everything that runs; resolves when nothing does. */
  close(): Promise<void>;
}

export interface ClientServiceOptions {
  readonly context: AgentRunContext<ChildProcess>;
  readonly gate: ToolGate;
  readonly calls: CallBook;
  readonly isStopped: () => boolean;
}

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<WaitForTerminalExitResponse>;
  output: string;
  truncated: boolean;
  exit: WaitForTerminalExitResponse | null;
}

const LONGEST_FILE = 10 * 1024 * 1024;
const LONGEST_OUTPUT = 1024 * 1024;
const LONGEST_SUMMARY = 500;
/** Creates its folder, too. */
const WRITE = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1"';

export function createClientServices(options: ClientServiceOptions): ClientServices {
  const { context, gate, calls, isStopped } = options;
  const { work, workspace } = context;
  const terminals = new Map<string, Run>();
  const running = new Set<Run>();
  let uses = 0;

  /** Waits until it may be done. Returns what tells its end, once it has ended. */
  async function permitted(
    { name, input }: Deed,
    cwd: string,
  ): Promise<(end: Pick<End, 'status' | 'summary' | 'exitCode'>) => void> {
    const isSame = (deed: Deed): boolean =>
      toolOfName(deed.name) === toolOfName(name) && subjectOf(deed.input) === subjectOf(input);
    if (!isStopped() && calls.isAllowed(isSame)) return () => undefined;
    uses += 1;
    const callId = `client-${uses}`;
    const title = toolTitle(name, input, workspace);
    const tool = toolOfName(name);
    const tell = (end: Pick<End, 'status' | 'summary' | 'exitCode'>): void => {
      context.emit({ type: 'tool-ended', callId, checkpoint: null, ...end });
    };
    context.emit({ type: 'tool-started', callId, tool, name, title, input, agentPath: [] });
    const answer = await gate.decide(callId, name, input, cwd);
    if (answer.decision === 'allow') return tell;
    tell({ status: isStopped() ? 'interrupted' : 'denied', summary: answer.reason });
    throw new Error(answer.reason);
  }

  function run(
    command: string,
    args: readonly string[],
    { cwd, env = {}, stdin = '', limit }: RunOptions,
  ): Run {
    const child = context.spawn(command, args, { cwd, env: { ...context.env, ...env } });
    let end: (exit: WaitForTerminalExitResponse) => void = () => undefined;
    const started: Run = {
      ...{ child, output: '', truncated: false, exit: null },
      ended: new Promise((resolve) => (end = resolve)),
    };
    running.add(started);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const all = started.output + text;
        started.truncated ||= all.length > limit;
        started.output = all.slice(-limit);
      });
    }
    const over = (exitCode: number | null, signal: string | null): void => {
      if (started.exit !== null) return;
      started.exit = { exitCode, signal };
      running.delete(started);
      end(started.exit);
    };
    child.once('error', (error) => {
      started.output += error.message;
      over(127, null);
    });
    child.once('close', over);
    // It may end before it has read everything.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
    return started;
  }

  /** A program of ours, to its end; its output. */
  async function carryOut(
    deed: Deed,
    program: readonly [string, ...string[]],
    stdin = '',
  ): Promise<string> {
    const tell = await permitted(deed, workspace);
    const [command, ...args] = program;
    const started = run(command, args, { cwd: workspace, stdin, limit: LONGEST_FILE });
    const { exitCode } = await started.ended;
    if (exitCode === 0 && !started.truncated) {
      tell({ status: 'ok', summary: 'done' });
      return started.output;
    }
    const why = started.truncated
      ? `it is longer than ${LONGEST_FILE} characters`
      : started.output.trim() || 'it was broken off';
    tell({ status: isStopped() ? 'interrupted' : 'error', summary: shortened(why) });
    throw new Error(why);
  }

  function terminalOf(id: string): Run {
    const terminal = terminals.get(id);
    if (terminal === undefined) throw new Error(`there is no terminal ${id}`);
    return terminal;
  }

  return {
    capabilities: {
      fs: {
        readTextFile: work.tools.includes('read'),
        writeTextFile: work.tools.includes('edit') && work.write.length > 0,
      },
      terminal: work.tools.includes('exec'),
      session: { notices: {} },
    },
    readFile: async ({ path, line, limit }) => {
      const deed = { name: 'Read', input: { file_path: absolute(path) } };
      const text = await carryOut(deed, ['cat', '--', absolute(path)]);
      if (typeof line !== 'number' && typeof limit !== 'number') return { content: text };
      const from = Math.max(0, (line ?? 1) - 1);
      const lines = text
        .split('\n')
        .slice(from, typeof limit === 'number' ? from + limit : undefined);
      return { content: lines.join('\n') };
    },
    writeFile: async ({ path, content }) => {
      const deed = { name: 'Write', input: { file_path: absolute(path), content } };
      await carryOut(deed, ['sh', '-c', WRITE, 'sh', absolute(path)], content);
      return {};
    },
    createTerminal: async ({ command, args = [], env = [], cwd, outputByteLimit }) => {
      const words = args.map(quoted);
      // A line for a shell comes without arguments.
      const isLine = args.length === 0 && /\s/.test(command);
      const line = isLine ? command : [quoted(command), ...words].join(' ');
      const place = cwd ?? workspace;
      const tell = await permitted({ name: 'Bash', input: { command: line } }, place);
      const [program, rest] = isLine ? ['sh', ['-c', command]] : [command, args];
      const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]));
      const limit = Math.min(outputByteLimit ?? LONGEST_OUTPUT, LONGEST_OUTPUT);
      const started = run(program, rest, { cwd: place, env: variables, limit });
      void started.ended.then(({ exitCode }) => {
        const isOk = exitCode === 0;
        const output = shortened(started.output.trim());
        tell({
          status: isOk ? 'ok' : isStopped() ? 'interrupted' : 'error',
          summary: output === '' ? `exit ${exitCode ?? 'by a signal'}` : output,
          ...(typeof exitCode === 'number' ? { exitCode } : {}),
        });
      });
      uses += 1;
      const terminalId = `terminal-${uses}`;
      terminals.set(terminalId, started);
      return { terminalId };
    },
    terminalOutput: (id) => {
      const { output, truncated, exit } = terminalOf(id);
      return { output, truncated, ...(exit === null ? {} : { exitStatus: exit }) };
    },
    waitForExit: (id) => terminalOf(id).ended,
    killTerminal: (id) => {
      terminalOf(id).child.kill('SIGKILL');
      return {};
    },
    releaseTerminal: (id) => {
      const { child, exit } = terminalOf(id);
      if (exit === null) child.kill('SIGKILL');
      terminals.delete(id);
      return {};
    },
    close: async () => {
      const left = [...running];
      for (const { child } of left) child.kill('SIGKILL');
      await Promise.all(left.map(({ ended }) => ended));
    },
  };

  function absolute(path: string): string {
    return isAbsolute(path) ? path : `${workspace}/${path}`;
  }
}

type End = Extract<AgentFactBody, { readonly type: 'tool-ended' }>;

interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Characters of its output that are kept, from the end. */
  readonly limit: number;
}

/** What a deed is done to. */
function subjectOf({ file_path: path, command }: JsonObject): Json {
  return path ?? command ?? null;
}

function shortened(text: string): string {
  return text.length <= LONGEST_SUMMARY ? text : `…${text.slice(-LONGEST_SUMMARY)}`;
}
