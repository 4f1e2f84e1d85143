/**
 * What a step may say under `ext.claude`. Nothing of it loosens the gate: servers and agents that are named here are
 * confined and asked like everything else, and a tool of a server works only if the step's scope names it.
 */
import type { AgentWork } from '@ccdash/core';
import { z } from 'zod';

export interface ClaudeExtension {
  readonly effort?: 'low' | 'medium' | 'high' | 'xhigh' | 'max' | undefined;
  readonly fallbackModel?: string | undefined;
  /** `project`: the repository's own CLAUDE.md and settings are read. Its hooks and servers never run. */
  readonly settings: 'none' | 'project';
  /** Added to the end of the system prompt. */
  readonly instructions?: string | undefined;
  /** Servers of the Model Context Protocol. */
  readonly mcp: Readonly<Record<string, McpServer>>;
  /** Agents that it may start with the tool `agent`. */
  readonly agents: Readonly<Record<string, SubAgent>>;
}

/** A program in the sandbox, beside the agent's own, or a service that the step's network reaches. */
export type McpServer =
  | {
      readonly command: string;
      readonly args: string[];
      readonly env: Record<string, string>;
    }
  | {
      readonly type: 'http' | 'sse';
      readonly url: string;
      readonly headers: Record<string, string>;
    };

export interface SubAgent {
  readonly description: string;
  readonly prompt: string;
  readonly model?: string | undefined;
  readonly maxTurns?: number | undefined;
}

/** As they are in the names of tools: `mcp:<server>/<tool>`. */
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/, 'it takes letters, digits and -');
const text = z.string().min(1).max(100_000);

const program = z.strictObject({
  command: text,
  args: z.array(z.string().max(10_000)).max(200).default([]),
  env: z.record(z.string(), z.string().max(10_000)).default({}),
});
const remote = z.strictObject({
  type: z.enum(['http', 'sse']),
  url: z.url({ protocol: /^https?$/ }),
  headers: z.record(z.string(), z.string().max(10_000)).default({}),
});

const agent = z.strictObject({
  description: text,
  prompt: text,
  model: text.optional(),
  maxTurns: z.int().positive().max(10_000).optional(),
});

export const claudeExtension: z.ZodType<ClaudeExtension> = z.strictObject({
  effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional(),
  fallbackModel: text.optional(),
  settings: z.enum(['none', 'project']).default('none'),
  instructions: text.optional(),
  mcp: z.record(name, z.union([program, remote])).default({}),
  agents: z.record(name, agent).default({}),
});

/** Checked before the step could start; what is left out has its default. */
export function readClaudeExtension(ext: AgentWork['ext']): ClaudeExtension {
  return claudeExtension.parse(ext['claude'] ?? {});
}
