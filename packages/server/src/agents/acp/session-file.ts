/** Agents number their sessions themselves; which one belongs to a session of ours is kept beside their own state. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export interface AgentSession {
  /** The agent's own name for it. */
  readonly id: string;
  /** Name and version by which the agent introduced itself; null when it did not. */
  readonly agent: string | null;
  /** Whether the agent can open it again. */
  readonly opensAgain: boolean;
}

const schema: z.ZodType<AgentSession> = z.strictObject({
  id: z.string().min(1).max(1000),
  agent: z.string().max(1000).nullable(),
  opensAgain: z.boolean(),
});

export function writeSession(stateDir: string, session: string, value: AgentSession): void {
  const path = pathOf(stateDir, session);
  if (path === null) throw new Error(`${session} is no name of a session`);
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Null when there is none, or it cannot be read: the agent can write here. */
export function readSession(stateDir: string, session: string): AgentSession | null {
  const path = pathOf(stateDir, session);
  if (path === null || !existsSync(path)) return null;
  try {
    return schema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function pathOf(stateDir: string, session: string): string | null {
  return /^[\w-]{1,128}$/.test(session) ? join(stateDir, `ccdash-session-${session}.json`) : null;
}
