/**
 * What is recorded must stay as it is: the transition table, and logs that fold to recorded views. A log that was
 * written by a released version is never written again. `CCDASH_GOLDEN=write npx vitest run packages/core/test`
 * records anew; read the difference before you keep it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import {
  STEP_STATUSES,
  STEP_TRANSITIONS,
  approvalToView,
  effectsOf,
  foldRun,
  runToView,
  statusAfter,
} from '@ccdash/core';
import type { RunEvent } from '@ccdash/core';
import { describe, expect, test } from 'vitest';

import { GOLDEN_RUNS } from './golden-runs.ts';

const writes = env['CCDASH_GOLDEN'] === 'write';

function recorded(name: string, current: () => string): string {
  const file = join(import.meta.dirname, name);
  if (writes) writeFileSync(file, current());
  return readFileSync(file, 'utf8');
}

describe('golden', () => {
  test('[ST1] every pair of status and event leads where it is recorded to lead', () => {
    const events = [...new Set(STEP_TRANSITIONS.map(({ event }) => event))].sort();
    const lines = STEP_STATUSES.flatMap((from) =>
      events.map((event) => `${from} + ${event} = ${statusAfter(from, event) ?? 'refused'}`),
    );
    const table = `${lines.join('\n')}\n`;
    expect(table).toBe(recorded('transitions.txt', () => table));
  });

  test.each(Object.keys(GOLDEN_RUNS))('[DE2] the log of %s folds to its recorded view', (name) => {
    const log = recorded(`${name}.ndjson`, () =>
      (GOLDEN_RUNS[name]?.() ?? []).map((event) => `${JSON.stringify(event)}\n`).join(''),
    );
    const lines = log.trimEnd().split('\n');
    const state = foldRun(`run_${name}`, lines.map((line) => JSON.parse(line) as RunEvent));
    if (state === null) throw new Error(`${name}.ndjson is empty`);
    const view = {
      run: runToView(state),
      approvals: [...state.approvals.values()].map((each) => approvalToView(state.runId, each)),
      effects: effectsOf(state, 0),
    };
    const text = `${JSON.stringify(view, null, 2)}\n`;
    expect(text).toBe(recorded(`${name}.json`, () => text));
  });
});
