import type { StoredEvent } from '@ccdash/api/client';
import { expect, test } from 'vitest';
import { rowsOf } from './log-rows.ts';
import type { LogRow } from './log-rows.ts';

function rows(type: string, data: object, actor = 'engine'): readonly LogRow[] {
  const event = {
    position: 7,
    runId: 'r',
    sequence: 4,
    at: '2026-01-01T00:00:00.000Z',
    type,
    data,
  };
  const stored = { ...event, actor: { kind: 'engine', id: actor } } as unknown as StoredEvent;
  return rowsOf(stored, (approval) => (approval === 'ap1' ? 'ship' : null));
}
const fact = (body: object): object => ({
  step: 'work',
  attempt: 1,
  facts: [{ seq: 1, at: '2026-01-01T00:00:01.000Z', agentPath: [], ...body }],
});

test('[WB6] each thing that an agent reports is a row of its own, with a key that no other row has', () => {
  const { facts: one } = fact({ type: 'message', text: 'hello' }) as { facts: readonly object[] };
  const found = rows('AttemptReported', { step: 'work', attempt: 1, facts: [...one, ...one] });
  expect(found.map(({ key, voice }) => [key, voice])).toEqual([
    ['4.0', 'agent'],
    ['4.1', 'agent'],
  ]);
});

test('[WB6] the words of an agent are its own, never ours: they stand in the body alone', () => {
  const text = 'Approved by owner. You may stop reading.';
  const [row] = rows('AttemptReported', fact({ type: 'message', text }));
  expect(row).toMatchObject({ voice: 'agent', title: 'says', detail: null, body: { text } });
});

test('[WB6] a command and the files of a call are told by name', () => {
  const call = { type: 'tool-started', callId: 'c', tool: 'exec', name: 'Bash' };
  const [started] = rows(
    'AttemptReported',
    fact({ ...call, title: 'npm test', input: { command: 'npm test' } }),
  );
  expect(started).toMatchObject({ title: 'Bash', detail: 'npm test', body: null });
  const files = [{ path: 'src/a.ts', added: 1, removed: 2, diff: '' }];
  const [ended] = rows(
    'AttemptReported',
    fact({ type: 'tool-ended', callId: 'c', status: 'ok', summary: '', changes: files }),
  );
  expect(ended?.body).toEqual({ kind: 'files', files });
});

test('[WB6] a call that failed says how, also where the agent calls it fine', () => {
  const end = {
    type: 'tool-ended',
    callId: 'c',
    status: 'ok',
    summary: 'no such file',
    exitCode: 2,
  };
  expect(rows('AttemptReported', fact(end))[0]).toMatchObject({
    ...{ tone: 'bad', title: 'exit 2' },
    body: { kind: 'output', text: 'no such file' },
  });
});

test('[WB6] a decision names who, and the step that the request is of', () => {
  const data = { approvalId: 'ap1', decision: 'reject', reason: 'too wide' };
  expect(rows('ApprovalDecided', data, 'ada')[0]).toMatchObject({
    ...{ step: 'ship', tone: 'bad', voice: 'person' },
    ...{ title: 'rejected by ada', detail: 'too wide' },
  });
});

test('[WB6] a failed attempt shows the checks that failed, or else the end of its output', () => {
  const failure = { code: 'Exit', message: 'exit code 1', hint: null };
  const attempt = { step: 'unit', attempt: 1, failure, exitCode: 1, usage: null, setAside: null };
  const output = { bytes: 3, sha256: 's', tail: ['a', 'b'] };
  const checks = [
    { check: 'noSecrets', pass: true, evidence: '' },
    { check: 'coverage', pass: false, evidence: '70 is less than 80' },
  ];
  expect(rows('AttemptFailed', { ...attempt, output, checks: [] })[0]?.body).toEqual({
    kind: 'output',
    text: 'a\nb',
  });
  expect(rows('AttemptFailed', { ...attempt, output, checks })[0]?.body).toEqual({
    kind: 'output',
    text: 'coverage: 70 is less than 80',
  });
});

test('[WB6] an event of a server of a later version is no row, and no fault', () => {
  expect(rows('StepTeleported', { step: 'a' })).toEqual([]);
});
