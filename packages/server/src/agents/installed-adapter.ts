import type { ChildProcess } from 'node:child_process';
import type { AgentAdapter, AgentOutcome, Failure } from '@ccdash/core';

/** An adapter as this server has it: what its program needs on disk, and where its sessions are. */
export interface InstalledAdapter extends AgentAdapter<ChildProcess> {
  /** What it was tested with, and how that is installed; null for an agent that needs no package. */
  readonly tested: { readonly version: string; readonly install: string } | null;
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

/** Why what a step says under `ext` for an adapter without options cannot be followed; null when it says nothing. */
export function optionFailure(
  adapter: string,
  ext: Readonly<Record<string, unknown>>,
): Failure | null {
  const options = ext[adapter];
  const names = typeof options === 'object' && options !== null ? Object.keys(options) : [];
  if (options === undefined || (typeof options === 'object' && names.length === 0)) return null;
  return {
    code: 'invalid_options',
    message: `the agent ${adapter} has no option ${names.join(', ') || JSON.stringify(options)}`,
    hint: `remove ext.${adapter} from the step`,
  };
}
