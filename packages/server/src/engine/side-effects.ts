/** What a step is known to have done beyond its workspace: it cannot be set back, and comes again when the step does. */
import { planStep } from '@ccdash/core';
import type { CommandFacts, EffectClass, RunState } from '@ccdash/core';
import type { EngineDeps } from './deps.ts';
import { commandFacts } from './facts.ts';

type Deed = { readonly what: string; readonly effects: readonly EffectClass[] };

const BEYOND: ReadonlySet<EffectClass> = new Set(['network', 'writes-outside', 'publishes']);
/** More than people read before they decide. */
const MAX_DEEDS = 20;

/** Its command, or the tool calls of its agents as the log has them; each once. */
export function deedsOf(deps: EngineDeps, state: RunState, stepId: string): readonly Deed[] {
  const step = planStep(state.created.plan, stepId);
  const does = commandFacts(deps, step);
  if (does !== null && step.kind === 'command') {
    const { program } = step;
    const what = 'script' in program ? program.script : program.argv.join(' ');
    return deedOf(what, does);
  }
  if (step.kind !== 'agent') return [];
  const deeds = new Map<string, Deed>();
  for (const stored of deps.store.readRun(state.runId)) {
    if (deeds.size >= MAX_DEEDS) break;
    if (stored.type !== 'AttemptReported') continue;
    const event = deps.decodeRunEvent(stored);
    if (!event.ok || event.value.type !== 'AttemptReported') continue;
    if (event.value.data.step !== stepId) continue;
    for (const fact of event.value.data.facts) {
      if (fact.type !== 'tool-started') continue;
      const facts = deps.classifyTool(fact.tool, fact.input);
      for (const deed of deedOf(fact.title, facts)) deeds.set(deed.what, deed);
    }
  }
  return [...deeds.values()];
}

function deedOf(what: string, { effects }: CommandFacts): readonly Deed[] {
  const beyond = effects.filter((effect) => BEYOND.has(effect));
  return beyond.length === 0 ? [] : [{ what, effects: beyond }];
}
