/** The figures of all runs. What a run counts for is kept until the run moves on: a run that is over is read once. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { auditRun, figuresOf, metricsOf } from '@ccdash/core';
import type { MetricsView, RunEvent, RunFigures } from '@ccdash/core';
import type { Workbench } from '../base/workbench.ts';
import type { EngineDeps } from './deps.ts';
import type { Engine } from './engine.ts';

interface Counted {
  readonly sequence: number;
  readonly figures: RunFigures;
}

export function createMetrics(
  { store, clock, decodeRunEvent }: Pick<EngineDeps, 'store' | 'clock' | 'decodeRunEvent'>,
  engine: Pick<Engine, 'state'>,
): Workbench['metrics'] {
  const countedByRun = new Map<string, Counted>();

  function* eventsOf(runId: string): Iterable<RunEvent> {
    for (const stored of store.readRun(runId)) {
      const decoded = decodeRunEvent(stored);
      if (!decoded.ok) return;
      yield decoded.value;
    }
  }

  function count(runId: string): Counted | null {
    const state = engine.state(runId);
    if (state === null) return null;
    const known = countedByRun.get(runId);
    if (known?.sequence === state.sequence) return known;
    const findings = auditRun(runId, eventsOf(runId), Date.parse);
    const bypasses = findings.filter(({ kind }) => kind === 'bypass').length;
    const figures = figuresOf(state, bypasses, Date.parse);
    const counted = { sequence: state.sequence, figures };
    countedByRun.set(runId, counted);
    return counted;
  }

  return async (fromMs): Promise<MetricsView> => {
    const figures: RunFigures[] = [];
    for (const runId of store.runIds()) {
      const isKnown = countedByRun.has(runId);
      const counted = count(runId);
      if (!isKnown) await nextTurn();
      if (counted !== null) figures.push(counted.figures);
    }
    return metricsOf(figures, { fromMs, toMs: clock.now() });
  };
}
