/** What a run waits for, in one sentence with who can help, since when, and where to go for it. */
import type { ApprovalView, RunView } from '@ccdash/api/client';

export interface Waiting {
  readonly step: string;
  readonly sentence: string;
  /** When it began to wait; null where the record does not say. */
  readonly sinceMs: number | null;
  readonly who: string;
  readonly act:
    | { readonly kind: 'approval'; readonly approval: string; readonly label: string }
    | { readonly kind: 'dialog'; readonly action: 'resume' | 'retry'; readonly label: string }
    | null;
}

/** One for each thing that it waits for, those with a button first. */
export function waitingOf(run: RunView, approvals: readonly ApprovalView[]): readonly Waiting[] {
  const all = run.blocked.map(({ reason, step, approval }): Waiting => {
    const view = run.steps.find(({ id }) => id === step);
    const why = view?.reason ?? null;
    const sinceMs = endOfLast(view);
    switch (reason) {
      case 'approval': {
        const asked = approvals.find(({ id }) => id === approval);
        return {
          ...{
            step,
            sentence: `${step} ${asked === undefined ? 'waits for a decision' : WAITS[asked.kind]}`,
          },
          sinceMs: asked === undefined ? null : Date.parse(asked.requestedAt),
          who: asked === undefined ? 'an approver' : whoMayDecide(asked.requires),
          act:
            approval === null ? null : { kind: 'approval', approval, label: 'Review the request' },
        };
      }
      case 'interrupted':
        return {
          ...{
            step,
            sinceMs,
            sentence: `${step} was interrupted${because(why)}`,
            who: 'an operator',
          },
          act: { kind: 'dialog', action: 'resume', label: 'Resume' },
        };
      case 'merge_conflict': {
        const besides = (run.conflict?.with ?? []).join(', ');
        const files = (run.conflict?.files ?? []).join(', ');
        const sentence = `${step} and ${besides} have both changed ${files}`;
        const who = 'an operator, by mending the files in the workspace or by choosing a side';
        return {
          ...{ step, sinceMs, sentence, who },
          act: { kind: 'dialog', action: 'resume', label: 'Resume' },
        };
      }
      case 'policy_denied':
        return {
          ...{ step, sinceMs, sentence: `The policy lets ${step} not start${because(why)}` },
          ...{ who: 'an admin, by an override or another policy', act: null },
        };
      case 'adapter_unavailable':
        return {
          ...{ step, sinceMs, sentence: `The agent of ${step} is not there${because(why)}` },
          ...{ who: 'whoever may install it', act: retry },
        };
      case 'configuration':
        return {
          ...{ step, sinceMs, sentence: `${step} cannot start as it is set up${because(why)}` },
          ...{ who: 'whoever may change the project or the plan', act: retry },
        };
      case 'budget_exceeded':
        return {
          ...{ step, sinceMs, sentence: `The budget of ${step} is used up${because(why)}` },
          ...{ who: 'an operator, by another plan or a larger budget', act: null },
        };
    }
  });
  return [...all.filter(({ act }) => act !== null), ...all.filter(({ act }) => act === null)];
}

const retry: Waiting['act'] = { kind: 'dialog', action: 'retry', label: 'Try again' };

const WAITS: Readonly<Record<ApprovalView['kind'], string>> = {
  start: 'waits for approval to start',
  gate: 'waits for a decision of the plan',
  tool: 'waits: its agent wants to use a tool',
  override: 'waits for an override of the policy',
  skip: 'waits for approval to be skipped',
  replan: 'waits for approval of another plan',
};

export function whoMayDecide({
  roles,
  people,
  count,
  excludeRequester,
}: ApprovalView['requires']): string {
  const who = [...people, ...roles.map((role) => `anybody with the role ${role}`)].join(' or ');
  const first = who === '' ? 'anybody who may log in' : who;
  const parts = [
    count === 1 ? first : `${String(count)} of: ${first}`,
    excludeRequester ? 'but not who asked for the run' : '',
  ];
  return parts.filter(Boolean).join(', ');
}

function endOfLast(step: RunView['steps'][number] | undefined): number | null {
  const endedAt = step?.attempts.at(-1)?.endedAt ?? null;
  return endedAt === null ? null : Date.parse(endedAt);
}

function because(why: string | null): string {
  return why === null || why === '' ? '' : `: ${why}`;
}
