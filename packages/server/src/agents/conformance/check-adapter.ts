/** Holds what is installed to the conformance cases, one after the other, with a scripted model on the wire. */
import type { Failure, Result } from '@ccdash/core';
import { err, ok } from '@ccdash/core';
import { AGENT_ADAPTER_CASES } from '@ccdash/core/testing';
import type { AgentAdapterCase } from '@ccdash/core/testing';
import { createAdapters } from '../registry.ts';
import type { AgentAdapters } from '../registry.ts';
import { createAgentBench } from './agent-bench.ts';
import type { OpenBench } from './agent-bench.ts';

export interface CaseResult {
  /** In packages/core/SPEC.md. */
  readonly rule: string;
  readonly name: string;
  readonly status: 'held' | 'broken' | 'skipped';
  /** What was found instead, or why it was skipped; null when it held. */
  readonly detail: string | null;
  readonly durationMs: number;
}

/** No case takes a tenth of it on a machine that has nothing else to do. */
const CASE_LIMIT_MS = 120_000;

/** Tells each case as it ends. Errors: Failure `unknown_adapter`, `adapter_unavailable`. */
export async function checkAdapter(
  id: string,
  onCase: (result: CaseResult) => void,
  adapters: AgentAdapters = createAdapters(),
): Promise<Result<readonly CaseResult[], Failure>> {
  const adapter = await adapters.adapterOf(id);
  if (adapter === null) {
    const message = `this version has no agent ${id}`;
    return err({ code: 'unknown_adapter', message, hint: `it has: ${adapters.ids.join(', ')}` });
  }
  const probe = await adapter.probe();
  if (!probe.available) {
    const message = `${id} cannot be checked: ${probe.problem ?? 'it is not installed'}`;
    return err({ code: 'adapter_unavailable', message, hint: probe.install });
  }
  const results: CaseResult[] = [];
  for (const each of AGENT_ADAPTER_CASES) {
    const skipped = adapter.skipped?.find(({ name }) => name === each.name);
    const result =
      skipped === undefined
        ? await runCase(id, each, adapters)
        : ({ ...named(each), status: 'skipped', detail: skipped.reason, durationMs: 0 } as const);
    results.push(result);
    onCase(result);
  }
  return ok(results);
}

async function runCase(
  id: string,
  each: AgentAdapterCase,
  adapters: AgentAdapters,
): Promise<CaseResult> {
  const benches: OpenBench[] = [];
  const start = performance.now();
  const result = (status: 'held' | 'broken', detail: string | null): CaseResult => {
    return { ...named(each), status, detail, durationMs: Math.round(performance.now() - start) };
  };
  const createBench = async (): Promise<OpenBench> => {
    const bench = await createAgentBench(id, adapters);
    benches.push(bench);
    return bench;
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `it had not ended after ${CASE_LIMIT_MS / 1000} s`;
    timer = setTimeout(() => reject(new Error(message)), CASE_LIMIT_MS);
  });
  try {
    await Promise.race([each.run({ createBench }), late]);
    return result('held', null);
  } catch (error) {
    return result('broken', error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    for (const bench of benches) await bench.close();
  }
}

function named({ rule, name }: AgentAdapterCase): Pick<CaseResult, 'rule' | 'name'> {
  return { rule, name };
}
