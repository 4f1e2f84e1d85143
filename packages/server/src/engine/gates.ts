/** A tool call of a running agent asks whether it may: the policy answers, or people are asked. */
import { stepState } from '@ccdash/core';
import type { JsonObject } from '@ccdash/core';
import type { EngineDeps } from './deps.ts';
import type { Performed, RunHandle } from './engine.ts';
import { commandSubject, toolPolicyFacts } from './facts.ts';

export async function evaluateGate(
  deps: EngineDeps,
  run: RunHandle,
  step: string,
  attempt: number,
  gateId: string,
): Promise<Performed> {
  const state = run.state();
  const live = stepState(state, step).attempts[attempt - 1];
  const gate = live?.gates.find((candidate) => candidate.gateId === gateId);
  if (live === undefined || gate === undefined) return 'again';
  const does = deps.classifyTool(gate.tool, gate.input);
  const verdict = deps.policy.evaluate(toolPolicyFacts(state, step, gate.tool, does.effects));
  const subject: JsonObject = {
    v: 1,
    kind: 'tool',
    run: run.runId,
    step,
    attempt,
    gate: gateId,
    plan: state.created.digest,
    policy: verdict.policyDigest,
    tool: gate.tool,
    name: gate.name,
    title: gate.title,
    input: gate.input,
    does: commandSubject(does),
  };
  const applied = await run.apply({
    type: 'DecideGate',
    step,
    attempt,
    epoch: live.epoch,
    gateId,
    verdict,
    subject,
    subjectDigest: deps.digest(subject),
    approvalId: deps.ids.next('apr'),
    expiresAtMs: null,
  });
  return applied.ok ? 'done' : 'again';
}
