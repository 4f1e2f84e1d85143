/** Refusals as problem documents. */
import { PROBLEMS } from '@ccdash/api';
import type { PlanProblem, ProblemBody, ProblemWord } from '@ccdash/api';
import { unreachable } from '@ccdash/core';
import type { PeopleRefusal } from '../base/people.ts';
import type { WorkbenchRefusal } from '../base/workbench.ts';

/** A refusal of the HTTP layer itself, or one that has been put into words. */
export interface Problem {
  readonly error: ProblemWord;
  /** What is wrong, with the ids at hand; the title when there is nothing to add. */
  readonly detail?: string;
  readonly hint?: string;
  readonly problems?: readonly PlanProblem[];
  readonly headers?: Readonly<Record<string, string>>;
}

export function problemToResponse(problem: Problem): Response {
  const { status, title } = PROBLEMS[problem.error];
  const body: ProblemBody = {
    type: `urn:ccdash:error:${problem.error}`,
    title,
    status,
    detail: problem.detail ?? title,
    error: problem.error,
    hint: problem.hint ?? null,
    ...(problem.problems === undefined ? {} : { problems: problem.problems }),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', ...problem.headers },
  });
}

/** What is wrong and what to do next, for every refusal of the workbench. */
export function refusalToProblem(refusal: WorkbenchRefusal | PeopleRefusal): Problem {
  return { error: refusal.type, ...wordsFor(refusal) };
}

type Words = Pick<Problem, 'detail' | 'hint'>;

function wordsFor(refusal: WorkbenchRefusal | PeopleRefusal): Words {
  switch (refusal.type) {
    case 'RunExists':
      return {
        detail: `There is a run ${refusal.runId} already.`,
        hint: 'Send the request again.',
      };
    case 'RunNotFound':
      return { detail: `There is no run ${refusal.runId}.`, hint: 'List the runs: ccdash runs' };
    case 'RunOver':
      return { detail: `Run ${refusal.runId} is ${refusal.status}.`, hint: wayOnFrom(refusal) };
    case 'StepNotFound':
      return {
        detail: `Run ${refusal.runId} has no step ${refusal.step}.`,
        hint: `See its steps: ccdash run show ${refusal.runId}`,
      };
    case 'StepNotReady':
      return {
        detail: `Step ${refusal.step} is ${refusal.status}.`,
        hint: 'Look at the run again, then decide what to do.',
      };
    case 'RunPaused':
      return {
        detail: `Run ${refusal.runId} is paused.`,
        hint: `Let it go on: ccdash resume ${refusal.runId}`,
      };
    case 'ApplyUnderWay':
      return {
        detail: `The result of run ${refusal.runId} is being applied to ${refusal.branch}.`,
        hint: `Wait for it: ccdash run show ${refusal.runId}`,
      };
    case 'NothingToApply':
      return {
        detail: `Run ${refusal.runId} has no such result, or has moved on since it was looked at.`,
        hint: `Look again: ccdash apply ${refusal.runId} --dry-run`,
      };
    case 'SlotTaken':
      return { detail: `Step ${refusal.step} must wait for another one.`, hint: 'Wait for it.' };
    case 'AttemptFenced':
      return {
        detail: `Attempt ${refusal.attempt} of ${refusal.step} is over.`,
        hint: 'Look at the run again.',
      };
    case 'GateNotOpen':
      return {
        detail: `No tool call of ${refusal.step} waits at gate ${refusal.gateId}.`,
        hint: 'Look at the run again.',
      };
    case 'CannotBeTold':
      return {
        detail: `${refusal.step} cannot be told: ${refusal.detail}.`,
        hint: 'Stop it and go on with the message: --restart',
      };
    case 'ApprovalNotFound':
      return {
        detail: `There is no approval request ${refusal.approvalId}.`,
        hint: 'List the open ones: ccdash approvals',
      };
    case 'ApprovalNotOpen':
      return {
        detail: `Approval request ${refusal.approvalId} is ${refusal.status}.`,
        hint: 'List the open ones: ccdash approvals',
      };
    case 'SubjectMoved':
      return {
        detail: `Approval request ${refusal.approvalId} asks for ${refusal.subjectDigest}.`,
        hint: 'Look at the request again, then decide: ccdash approvals',
      };
    case 'NotAllowedToDecide':
      return {
        detail: `${refusal.approver} may not decide ${refusal.approvalId}: ${refusal.detail}.`,
        hint: 'Ask somebody who may.',
      };
    case 'AlreadyDecided':
      return {
        detail: `${refusal.approver} has decided ${refusal.approvalId} already.`,
        hint: 'It waits for other people.',
      };
    case 'NotOverridable':
      return {
        detail: `Step ${refusal.step}: ${refusal.detail}.`,
        hint: 'Change the plan or the policy, or ask those who may decide.',
      };
    case 'ReasonTooShort':
      return {
        detail: `The reason has fewer than ${String(refusal.atLeast)} characters.`,
        hint: 'Say why nobody else can decide, and why it cannot wait: --reason "…"',
      };
    case 'ReasonRequired':
      return {
        detail: `The rejection of ${refusal.approvalId} has no reason.`,
        hint: 'Say why: --reason "…"',
      };
    case 'FormInvalid':
      return {
        detail: `The form of ${refusal.approvalId}: ${refusal.detail}.`,
        hint: 'Fill it in: --form name=value',
      };
    case 'NothingToResume':
      return {
        detail: `Run ${refusal.runId} is ${refusal.status}; it is not paused, and no step of it is interrupted.`,
        hint: `See what you can do: ccdash run show ${refusal.runId}`,
      };
    case 'NothingToRetry': {
      const { runId, interrupted } = refusal;
      const [step] = interrupted;
      if (step !== undefined) {
        const others = interrupted.length === 1 ? 'is' : 'are';
        return {
          detail: `Of run ${runId} ${interrupted.join(', ')} ${others} interrupted; nothing has failed.`,
          hint: `Go on where it was: ccdash resume ${runId} ${step}. Begin it anew: ccdash retry ${runId} ${step}`,
        };
      }
      return {
        detail: `Run ${refusal.runId} is ${refusal.status}; no step of it can be tried again.`,
        hint: `See what you can do: ccdash run show ${refusal.runId}`,
      };
    }
    case 'ChangeDenied':
      return {
        detail: `The policy does not let you ${refusal.action}: ${refusal.detail}`,
        hint: 'Ask somebody who may, or have the policy changed: ccdash policy check',
      };
    case 'PlanUnfit':
      return {
        detail: `Run ${refusal.runId} cannot go over to this plan: ${refusal.detail}.`,
        hint: `See what it has done: ccdash run show ${refusal.runId}`,
      };
    case 'NothingToFork':
      return {
        detail:
          refusal.at === null
            ? `Run ${refusal.runId} has no checkpoint: its workspace was never made.`
            : `Step ${refusal.at} of run ${refusal.runId} has no checkpoint: it has not succeeded.`,
        hint: 'Name a step that has, or none for the newest checkpoint.',
      };
    case 'NothingToRestart':
      return {
        detail: `Step ${refusal.step} is ${refusal.status} and has not begun.`,
        hint: 'Name a step that has: ccdash run show RUN lists them.',
      };
    case 'StoreUnavailable':
      return {
        detail: refusal.detail,
        hint: 'See that the disk has room and works, then try again; nothing was recorded.',
      };
    case 'PlanNotFound':
      return {
        detail: `There is no plan ${refusal.planId}, or it has no such revision.`,
        hint: 'Save the plan again.',
      };
    case 'PlanMoved':
      return {
        detail: `The newest revision of plan ${refusal.planId} is ${refusal.revision}.`,
        hint: 'Look at what has changed, then save again.',
      };
    case 'PlanInvalid':
      return { detail: refusal.detail, hint: 'See every problem: ccdash plan check FILE' };
    case 'InputInvalid':
      return { detail: sentence(refusal.detail), hint: 'Give it: --input name=value' };
    case 'ProjectUnusable': {
      const { message, hint } = refusal.failure;
      return { detail: message, ...(hint === null ? {} : { hint }) };
    }
    case 'SummaryMoved':
      return {
        detail: `Since it was looked at, something about run ${refusal.runId} or the project has changed.`,
        hint: 'Look at the summary again, then decide.',
      };
    case 'NotApplicable': {
      const { message, hint } = refusal.failure;
      return { detail: message, ...(hint === null ? {} : { hint }) };
    }
    case 'AttemptNotFound':
      return {
        detail: `Step ${refusal.step} of run ${refusal.runId} has no such attempt.`,
        hint: `See its attempts: ccdash run show ${refusal.runId}`,
      };
    case 'DiffUnavailable': {
      const { message, hint } = refusal.failure;
      return { detail: message, ...(hint === null ? {} : { hint }) };
    }
    case 'Quarantined':
      return {
        detail: `Run ${refusal.runId} is set aside: ${refusal.detail}`,
        hint: 'The log is kept as it is. Report the bug, and restart the server to try again.',
      };
    case 'PersonInvalid':
      return { detail: sentence(refusal.detail), hint: 'See: ccdash users add --help' };
    case 'PersonExists':
      return {
        detail: `${refusal.person} is there already.`,
        hint: `To change what they may do: ccdash users role ${refusal.person} ROLE…`,
      };
    case 'PersonNotFound':
      return { detail: `Nobody here is called ${refusal.person}.`, hint: 'See: ccdash users' };
    case 'OwnerFixed':
      return {
        detail: `${refusal.person} owns this machine's workbench, with every role.`,
        hint: 'Add other people, and let them decide: ccdash users add NAME --role approver',
      };
    case 'ProofRequired':
      return {
        detail: sentence(refusal.detail),
        hint: 'Prove that it is you: --code CODE or --ssh-key FILE',
      };
    case 'ProofInvalid':
      return {
        detail: sentence(refusal.detail),
        hint: 'See what you have with: ccdash users me',
      };
    default:
      return unreachable(refusal);
  }
}

/** What has been canceled goes on by a fork alone. */
function wayOnFrom({ runId, status }: { readonly runId: string; readonly status: string }): string {
  if (!status.startsWith('cancel')) return 'Launch a new run.';
  return `Go on from what it has done: ccdash fork ${runId}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}
