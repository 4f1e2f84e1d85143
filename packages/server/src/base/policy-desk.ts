/** What the outside may ask of the policy in force. */
import type { PolicyCheckView, PolicyView } from '@ccdash/api';
import type { Plan, PolicyActor, Step } from '@ccdash/core';

export interface PolicyDesk {
  describe(): PolicyView;
  /** What it says when `requester` launches a run with this step; nothing runs. */
  check(plan: Plan, step: Step, requester: PolicyActor): Promise<PolicyCheckView>;
}
