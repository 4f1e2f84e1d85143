import type { ApprovalView, RunView } from '@ccdash/api/client';
import { expect, test } from 'vitest';
import { waitingOf, whoMayDecide } from './waiting-words.ts';

const REQUIRES: ApprovalView['requires'] = {
  ...{ roles: ['approver'], people: [], count: 1, excludeRequester: false, assurance: 'session' },
};

function runWith(blocked: RunView['blocked'], reason: string | null = null): RunView {
  const endedAt = '2026-01-01T00:00:05.000Z';
  return {
    blocked,
    steps: [{ id: 'ship', reason, attempts: [{ endedAt }] }],
  } as unknown as RunView;
}

test('[WB7] a run that waits for a decision says for which, since when, who can give it, and leads there', () => {
  const request = {
    ...{ id: 'ap1', kind: 'start', requires: REQUIRES },
    requestedAt: '2026-01-01T00:00:00.000Z',
  } as ApprovalView;
  const [waiting] = waitingOf(runWith([{ reason: 'approval', step: 'ship', approval: 'ap1' }]), [
    request,
  ]);
  expect(waiting).toEqual({
    step: 'ship',
    sentence: 'ship waits for approval to start',
    sinceMs: Date.parse('2026-01-01T00:00:00.000Z'),
    who: 'anybody with the role approver',
    act: { kind: 'approval', approval: 'ap1', label: 'Review the request' },
  });
});

test('[WB7] an interrupted step says so with its reason and can be resumed, since it ended', () => {
  const [waiting] = waitingOf(
    runWith([{ reason: 'interrupted', step: 'ship', approval: null }], 'the machine went down'),
    [],
  );
  expect(waiting).toMatchObject({
    sentence: 'ship was interrupted: the machine went down',
    sinceMs: Date.parse('2026-01-01T00:00:05.000Z'),
    act: { kind: 'dialog', action: 'resume' },
  });
});

test('[WB7] what somebody can help with by a button comes before what needs more than that', () => {
  const blocked: RunView['blocked'] = [
    { reason: 'policy_denied', step: 'ship', approval: null },
    { reason: 'adapter_unavailable', step: 'ship', approval: null },
  ];
  expect(waitingOf(runWith(blocked), []).map(({ act }) => act?.kind ?? null)).toEqual([
    'dialog',
    null,
  ]);
});

test('[WB7] who may decide is said in words, with how many and who may not', () => {
  expect(whoMayDecide({ ...REQUIRES, people: ['ada'], count: 2, excludeRequester: true })).toBe(
    '2 of: ada or anybody with the role approver, but not who asked for the run',
  );
  expect(whoMayDecide({ ...REQUIRES, roles: [] })).toBe('anybody who may log in');
});
