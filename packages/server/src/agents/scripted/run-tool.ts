import { constants, mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import type { AgentRunContext } from '@ccdash/core';
import type { ScriptCall } from '../script/agent-script.ts';
import { textIn } from '../tools/tool-names.ts';

export interface ToolResult {
  readonly status: 'ok' | 'error' | 'interrupted';
  readonly summary: string;
}

const LONGEST_OUTPUT = 16 * 1024;
const KILL_AFTER_MS = 2_000;

/** Does what an allowed call says. Files are touched by this process, commands run where the host puts them. */
export async function runTool(
  { name, input }: ScriptCall,
  context: AgentRunContext<ChildProcess>,
  stopping: AbortSignal,
): Promise<ToolResult> {
  const field = (key: string): string => textIn(input, key) ?? '';
  const path = resolve(context.workspace, field('file_path'));
  try {
    switch (name) {
      case 'Read':
        return done(`${readFileSync(path).length} bytes`);
      case 'Write':
        mkdirSync(dirname(path), { recursive: true });
        write(path, field('content'));
        return done('written');
      case 'Edit':
        return edit(path, field('old_string'), field('new_string'));
      case 'Bash':
        return await run(field('command'), context, stopping);
      default:
        return failed(`the scripted agent cannot use ${name}`);
    }
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

function done(summary: string): ToolResult {
  return { status: 'ok', summary };
}

function failed(summary: string): ToolResult {
  return { status: 'error', summary };
}

function write(path: string, content: string): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  try {
    writeFileSync(file, content);
  } finally {
    closeSync(file);
  }
}

function edit(path: string, old: string, replacement: string): ToolResult {
  const parts = readFileSync(path, 'utf8').split(old);
  if (old === '' || parts.length !== 2) {
    return failed(
      `the text to replace is there ${old === '' ? 0 : parts.length - 1} times, not once`,
    );
  }
  write(path, parts.join(replacement));
  return done('edited');
}

function run(
  command: string,
  context: AgentRunContext<ChildProcess>,
  stopping: AbortSignal,
): Promise<ToolResult> {
  const { workspace, env } = context;
  const child = context.spawn('bash', ['-c', command], { cwd: workspace, env });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = `${output}${chunk.toString('utf8')}`.slice(-LONGEST_OUTPUT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.stdin?.end();
  let killTimer: NodeJS.Timeout | null = null;
  const stop = (): void => {
    child.kill('SIGTERM');
    killTimer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  };
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });
  return new Promise((resolve) => {
    const end = (result: ToolResult): void => {
      stopping.removeEventListener('abort', stop);
      if (killTimer !== null) clearTimeout(killTimer);
      resolve(result);
    };
    child.on('error', (error) => end(failed(error.message)));
    child.on('close', (code, signal) => {
      if (stopping.aborted) end({ status: 'interrupted', summary: 'stopped' });
      else if (code === 0) end(done(output.trim()));
      else end(failed(`${output.trim()}\nended with ${code ?? signal ?? 'nothing'}`.trim()));
    });
  });
}
