/** What agents did, attempt by attempt, in the words of their adapters. */
import type { AgentFact, FileChange, RunEvent } from '@ccdash/core';

export interface ToolUse {
  readonly at: string;
  readonly tool: string;
  readonly title: string;
  /** `unfinished` where the log has no end of it. */
  readonly status: string;
  readonly exitCode: number | null;
  readonly summary: string;
  readonly changes: readonly FileChange[];
}

export interface AgentWork {
  readonly step: string;
  readonly attempt: number;
  readonly tools: readonly ToolUse[];
  readonly messages: readonly { readonly at: string; readonly text: string }[];
}

/** In the order in which attempts first reported. */
export function agentWorkOf(events: readonly RunEvent[]): readonly AgentWork[] {
  const factsByAttempt = new Map<
    string,
    { readonly step: string; readonly attempt: number; readonly facts: AgentFact[] }
  >();
  for (const event of events) {
    if (event.type !== 'AttemptReported') continue;
    const { step, attempt, facts } = event.data;
    const key = `${step} ${attempt}`;
    const known = factsByAttempt.get(key);
    if (known === undefined) factsByAttempt.set(key, { step, attempt, facts: [...facts] });
    else known.facts.push(...facts);
  }
  return [...factsByAttempt.values()].map(({ step, attempt, facts }) => ({
    step,
    attempt,
    tools: toolsOf(facts),
    messages: facts.flatMap((fact) =>
      fact.type === 'message' ? [{ at: fact.at, text: fact.text }] : [],
    ),
  }));
}

function toolsOf(facts: readonly AgentFact[]): readonly ToolUse[] {
  const endByCall = new Map(
    facts.flatMap((fact) => (fact.type === 'tool-ended' ? [[fact.callId, fact] as const] : [])),
  );
  return facts.flatMap((fact) => {
    if (fact.type !== 'tool-started') return [];
    const end = endByCall.get(fact.callId);
    const { at, tool, title } = fact;
    return [
      {
        ...{ at, tool, title },
        status: end?.status ?? 'unfinished',
        exitCode: end?.exitCode ?? null,
        summary: end?.summary ?? '',
        changes: end?.changes ?? [],
      },
    ];
  });
}
