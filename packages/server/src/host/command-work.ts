/** Runs a command in its enclosure, and keeps what it prints and leaves behind. */
import { closeSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

import type { AttemptOutcome, CommandWork, Failure, JsonObject, OutputSummary } from '@ccdash/core';
import type { EnclosedProcess, Enclosure, ProcessEnd, Sandbox } from '../base/enclosure.ts';
import type { WorkContext } from './attempt-work.ts';
import { createOutputPipe, recordOutput } from './output-file.ts';
import { secretVariables } from './secret-variables.ts';
import { readStepOutputs } from './step-outputs.ts';
import { startProcess, stopProcess } from './work-process.ts';

/** How long output may go on after everything that could be killed is dead: a program that left its group holds it. */
const ESCAPED_OUTPUT_MS = 1_000;

export async function runCommand(
  context: WorkContext,
  work: CommandWork,
  sandbox: Sandbox,
): Promise<AttemptOutcome> {
  const { spec, folder, runtimeDir } = context;
  const cwd = resolve(spec.workspace, work.cwd);
  const misplaced = checkFolder(spec.workspace, cwd, work.cwd);
  const unfit = misplaced ?? checkTexts(context, work);
  if (unfit !== null) return failed(unfit, false);
  mkdirSync(folder.out, { mode: 0o700 });
  const enclosed = await sandbox.enclose({
    spec: spec.sandbox,
    workspace: spec.workspace,
    writePaths: [folder.out],
    runtimeDir,
    gatewaySocket: null,
  });
  if (!enclosed.ok) return failed(enclosed.error, false);
  try {
    return await runEnclosed(context, work, cwd, enclosed.value);
  } finally {
    await enclosed.value.close();
    rmSync(folder.out, { recursive: true, force: true });
  }
}

async function runEnclosed(
  context: WorkContext,
  work: CommandWork,
  cwd: string,
  enclosure: Enclosure,
): Promise<AttemptOutcome> {
  const { spec, folder, runtimeDir, redaction } = context;
  const outputsFile = join(folder.out, 'outputs');
  const program = programOf(work);
  const pipe = await createOutputPipe(join(runtimeDir, 'output'));
  const recording = recordOutput(pipe.readFd, folder.output, redaction);
  const child = enclosure.spawn(program, {
    cwd,
    env: {
      ...enclosure.env,
      ...spec.env,
      ...secretVariables(context),
      CCDASH_OUTPUT: outputsFile,
    },
    stdio: ['ignore', pipe.writeFd, pipe.writeFd],
  });
  closeSync(pipe.writeFd);
  // A disk that refuses the output ends the work: nothing of it may get lost.
  const recorded = recording.done.catch((error: unknown) => {
    child.signal('SIGKILL');
    return error instanceof Error ? error : new Error(String(error));
  });
  const end = await endOf(child, context);
  const cut = setTimeout(() => recording.cut(), ESCAPED_OUTPUT_MS);
  const output = await recorded;
  clearTimeout(cut);
  if (output instanceof Error) throw output;
  return toOutcome(end, program[0], output, outputsFile);
}

/** Lets it begin, passes on the wish to stop, and waits until nothing of it lives. */
async function endOf(child: EnclosedProcess, context: WorkContext): Promise<ProcessEnd> {
  const stop = (): void => stopProcess(child, context.graceMs);
  try {
    await startProcess(child, context);
    if (context.stopping.aborted) stop();
    else context.stopping.addEventListener('abort', stop, { once: true });
    return await child.ended;
  } catch (error) {
    child.signal('SIGKILL');
    await child.ended;
    throw error;
  } finally {
    context.stopping.removeEventListener('abort', stop);
  }
}

function toOutcome(
  end: ProcessEnd,
  program: string,
  output: OutputSummary,
  outputsFile: string,
): AttemptOutcome {
  const { exitCode, signal, stage } = end;
  const outputs = readStepOutputs(outputsFile);
  const common = {
    exitCode,
    signal,
    output,
    outputs: outputs.ok ? outputs.value : {},
    usage: null,
  };
  const fail = (failure: Failure, retryable: boolean): AttemptOutcome => ({
    ...common,
    status: 'failed',
    failure,
    retryable,
  });
  if (stage === 'missing') return { ...fail(programMissing(program), false), exitCode: null };
  if (stage === 'not-set-up') return fail(notSetUp(output), false);
  if (exitCode === null) return fail(endedBySignal(signal), true);
  if (!outputs.ok) {
    const { error } = outputs;
    if (exitCode === 0) return fail(error, false);
    const message = `it ended with exit code ${exitCode}, and ${error.message}`;
    return fail({ ...error, message }, true);
  }
  return { ...common, status: 'succeeded' };
}

function programOf(work: CommandWork): readonly [string, ...string[]] {
  if ('argv' in work.program) return work.program.argv;
  return ['bash', '--norc', '--noprofile', '-e', '-o', 'pipefail', '-c', work.program.script];
}

function checkFolder(workspace: string, cwd: string, named: string): Failure | null {
  const hint = 'correct cwd of the step in the plan';
  if (relative(workspace, cwd).split('/')[0] === '..') {
    return { code: 'setup_failed', message: `cwd ${named} lies outside the workspace`, hint };
  }
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const message = `cwd ${named} is no folder of the workspace`;
    return { code: 'setup_failed', message, hint };
  }
  return null;
}

/** Programs and variables are passed on with NUL as their end; one that holds it would be taken for several. */
function checkTexts(context: WorkContext, work: CommandWork): Failure | null {
  const variables = Object.entries({ ...context.spec.env, ...secretVariables(context) });
  const [name] = variables.find((pair) => pair.join('').includes('\0')) ?? [];
  const inProgram = programOf(work).some((part) => part.includes('\0'));
  if (name === undefined && !inProgram) return null;
  return {
    code: 'setup_failed',
    message: `${name === undefined ? 'the command' : `the variable ${JSON.stringify(name)}`} holds a NUL character, which no program can be given`,
    hint: 'take the character out of the plan, or out of the output that the variable is taken from',
  };
}

function programMissing(program: string): Failure {
  return {
    code: 'program_missing',
    message: `there is no program ${JSON.stringify(program)} in the step's environment`,
    hint: 'install it where the server finds it on its PATH, or correct the step; programs elsewhere need their folder among the readable paths',
  };
}

function notSetUp(output: OutputSummary): Failure {
  const said = output.tail.join(' ').slice(0, 500);
  return {
    code: 'sandbox_failed',
    message: `the sandbox of the step could not be set up${said === '' ? '' : `: ${said}`}`,
    hint: 'correct the paths and variables of the step, then retry it',
  };
}

function endedBySignal(signal: string | null): Failure {
  return {
    code: 'signal',
    message: `it was ended by ${signal ?? 'a signal'}, which the workbench did not send`,
    hint: 'was the machine out of memory? Retry the step',
  };
}

function failed(failure: Failure, retryable: boolean): AttemptOutcome {
  const nothing = { exitCode: null, signal: null, output: null, outputs: {} as JsonObject };
  return { ...nothing, usage: null, status: 'failed', failure, retryable };
}
