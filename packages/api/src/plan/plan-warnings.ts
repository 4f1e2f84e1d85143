/** What is allowed and probably not meant. */
import type { Plan } from '@ccdash/core';
import type { Finding } from './problem.ts';
import type { PlanSource } from './yaml-source.ts';
import type { PlanFile } from './plan-file.ts';

/** Warnings about a plan without errors, in no order. */
export function planWarnings(file: PlanFile, plan: Plan, source: PlanSource): readonly Finding[] {
  const warnings: Finding[] = [];
  const works = file.steps.some((step) => 'agent' in step);
  if (file.scope === undefined && works) {
    warnings.push({
      type: 'ReadOnlyRun',
      detail:
        'The plan has no `scope`: its agents can read, search and run programs, and change nothing.',
      hint: 'Add `scope:` with `tools` and `write`, or leave it so if that is meant.',
      at: source.positionOf(['steps']),
    });
  }
  file.steps.forEach((step, index) => {
    const warn = (type: Finding['type'], field: string, detail: string, hint: string): void => {
      warnings.push({ type, detail, hint, at: source.positionOfKey(['steps', index, field]) });
    };
    if (step.risk === 'low') {
      const detail =
        '`risk: low` changes nothing: a plan raises the computed risk, never lowers it.';
      warn('IdleRisk', 'risk', detail, 'Remove the line.');
    }
    if ('agent' in step && step.budget === undefined && file.budget === undefined) {
      const detail = `Nothing limits what \`${step.id}\` may spend.`;
      warn('NoBudget', 'agent', detail, 'Add a `budget` to the step or to the plan.');
    }
    const limit = plan.budget.timeMs;
    const compiled = plan.steps.find(({ id }) => id === step.id);
    if (limit !== null && compiled !== undefined && 'timeoutMs' in compiled) {
      if (compiled.timeoutMs !== null && compiled.timeoutMs >= limit) {
        const detail = "The budget of the run ends before this step's `timeout` does.";
        warn('IdleTimeout', 'timeout', detail, 'Lower the `timeout`, or raise `budget.time`.');
      }
    }
    if ('validate' in step) {
      step.validate.forEach((check, at) => {
        if (!('exit' in check)) return;
        const { step: id, equals } = check.exit;
        const command = plan.steps.find((other) => other.id === id);
        if (command?.kind !== 'command' || command.expectedExitCodes.includes(equals)) return;
        warnings.push({
          type: 'ImpossibleCheck',
          detail: `\`${id}\` fails with the exit code ${equals}, so this check is never reached with it.`,
          hint: `Add ${equals} to the \`exitCodes\` of \`${id}\`.`,
          at: source.positionOf(['steps', index, 'validate', at, 'exit', 'equals']),
        });
      });
    }
  });
  return warnings;
}
