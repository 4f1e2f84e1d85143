/**
 * The one way from an agent's wish to a tool's effect: scope, files, then the host's gate.
 *
 * 1. What is outside the scope is refused here and never reaches people.
 * 2. Once closed the gate says no, also to questions whose answer is on its way.
 * 3. Anything but a plain yes is a no; a gate that breaks has said no.
 */
import type { GateAnswer, GateQuestion, Json } from '@ccdash/core';
import type { FileRules } from './file-rules.ts';
import { toolOfName, toolTitle } from './tool-names.ts';

export interface ToolGateOptions {
  readonly workspace: string;
  /** Canonical names in scope. */
  readonly tools: readonly string[];
  readonly fileRules: FileRules;
  readonly ask: (question: GateQuestion) => Promise<GateAnswer>;
}

export interface ToolGate {
  /** Whether a call may have its effect now. Never rejects. `cwd` is where its relative paths begin. */
  decide(callId: string, name: string, input: Json, cwd: string): Promise<GateAnswer>;
  close(): void;
}

export function createToolGate(options: ToolGateOptions): ToolGate {
  const { workspace, tools, fileRules, ask } = options;
  let closed = false;

  function refusal(name: string, input: Json, cwd: string): string | null {
    if (closed) return 'the work is being stopped';
    const tool = toolOfName(name);
    if (!tools.includes(tool)) return `${name} (${tool}) is outside the scope of this step`;
    return fileRules(name, input, cwd);
  }

  return {
    decide: async (callId, name, input, cwd) => {
      try {
        const before = refusal(name, input, cwd);
        if (before !== null) return { decision: 'deny', reason: before };
        const title = toolTitle(name, input, workspace);
        const answer = await ask({ callId, tool: toolOfName(name), name, title, input });
        if (answer.decision !== 'allow') return { decision: 'deny', reason: answer.reason };
        // Days may have passed: a link may lead elsewhere now.
        const after = refusal(name, input, cwd);
        return after === null ? { decision: 'allow' } : { decision: 'deny', reason: after };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { decision: 'deny', reason: `the gate could not decide: ${why}` };
      }
    },
    close: () => {
      closed = true;
    },
  };
}
