import type { ChildProcess } from 'node:child_process';
import type { AgentAdapter, AgentLaunch, AgentOutcome, Failure } from '@ccdash/core';
import { z } from 'zod';

/** An adapter as this server has it: what its program needs on disk, and where its sessions are. */
export interface InstalledAdapter extends AgentAdapter<ChildProcess> {
  /** What it was tested with, and how that is installed; null for an agent that needs no package. */
  readonly tested: { readonly version: string; readonly install: string } | null;
  /** How it is started, where the project's settings say so. */
  readonly launch?: AgentLaunch;
  /** What a step may say under `ext.<id>`; nothing when left out. */
  readonly extension?: z.ZodType;
  /** Why the program that is installed does not run; null when it does. It is started for this, and does no work. */
  health?(): Promise<string | null>;
  /** Absolute paths of the SDK's program that a sandbox must show it, read-only. Empty when it is not installed. */
  requiredPaths(): readonly string[];
  /** Whether `stateDir` holds a session of this id. */
  hasSession(session: string, stateDir: string): boolean;
}

/** The end of an agent that has not done its work. */
export function failedOutcome(
  failure: Failure,
  rest: Partial<Omit<AgentOutcome, 'failure'>> = {},
): AgentOutcome {
  return {
    status: 'failed',
    text: '',
    structured: null,
    usage: null,
    retryable: false,
    ...rest,
    failure,
  };
}

/**
 * Why what a step says under `ext` cannot be followed; null when it can. The namespace is the adapter's id, or the part
 * of it before the colon. Options are never silently without effect: one that nobody knows is refused.
 */
export function extensionFailure(
  { id, extension = NO_OPTIONS }: Pick<InstalledAdapter, 'id' | 'extension'>,
  ext: Readonly<Record<string, unknown>>,
): Failure | null {
  const [family = id] = id.split(':');
  const stranger = Object.keys(ext).find((name) => name !== id && name !== family);
  if (stranger !== undefined) {
    return {
      code: 'invalid_options',
      message: `ext.${stranger} is for another agent than ${id}`,
      hint: `remove ext.${stranger} from the step; options of its agent stand under ext.${family}`,
    };
  }
  for (const [name, options] of Object.entries(ext)) {
    const read = extension.safeParse(options);
    if (read.success) continue;
    const [issue] = read.error.issues;
    const path = ['ext', name, ...(issue?.path ?? [])].map(String).join('.');
    return {
      code: 'invalid_options',
      message: `${path}: ${issue?.message ?? 'it is not what the agent takes'}`,
      hint: `correct ${path} in the step, or remove it`,
    };
  }
  return null;
}

const NO_OPTIONS = z.strictObject({});
