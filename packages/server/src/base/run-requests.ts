/** What people ask of a run, as the command that core decides, where it takes no more than what they say. `newId` gives a UUID. */
import type { RunCommand } from '@ccdash/core';
import type { Caller, RunRequest } from './workbench.ts';

export function requestToCommand(
  asked: Exclude<RunRequest, { type: 'skip' | 'replan' }>,
  by: Caller,
  newId: () => string,
): RunCommand {
  switch (asked.type) {
    case 'decide': {
      const { approvalId, decision, reason, subjectDigest, form } = asked;
      const { roles, assurance, evidence } = by;
      const who = { roles, assurance, ...(evidence === undefined ? {} : { evidence }) };
      return { type: 'DecideApproval', approvalId, decision, reason, subjectDigest, form, ...who };
    }
    case 'review':
      return { type: 'ReviewOverride', approvalId: asked.approvalId, note: asked.note };
    case 'cancel':
      return { type: 'CancelRun', reason: asked.reason };
    case 'tell': {
      const { step, text, restart } = asked;
      const how = restart ? 'restart' : 'now';
      return { type: 'TellAgent', step, text, how, messageId: newId() };
    }
    case 'pause':
      return { type: 'PauseRun', reason: asked.reason };
    case 'resume':
      return {
        ...{ type: 'ResumeRun', step: asked.step, reason: asked.reason },
        ...(asked.take === undefined ? {} : { take: asked.take }),
      };
    case 'restart':
      return { type: 'RestartFrom', step: asked.step, reason: asked.reason };
    case 'retry':
      return { type: 'RetryRun', step: asked.step, reason: asked.reason };
  }
}
