/** Each step's attempts and waits as bars on one axis of time. */
import { useEffect, useMemo, useState } from 'react';
import type { ApprovalView, RunView } from '@ccdash/api/client';
import { toneOf } from '../../ui/badges.tsx';
import { Badge } from '../../ui/badges.tsx';
import { duration } from '../../ui/text.ts';
import { layOutTimeline } from './timeline-layout.ts';
import type { Bar } from './timeline-layout.ts';

/** Longer runs are cut to the steps that have something to show. */
const MOST_LANES = 300;

export function TimelineView({
  run,
  approvals,
  selected,
  onStep,
}: {
  readonly run: RunView;
  readonly approvals: readonly ApprovalView[];
  readonly selected: string | null;
  readonly onStep: (step: string) => void;
}) {
  const nowMs = useNow(run.endedAt === null);
  const timeline = useMemo(() => layOutTimeline(run, approvals, nowMs), [run, approvals, nowMs]);
  const { lanes, folds, ticks, fromMs, isLive } = timeline;
  const shown =
    lanes.length <= MOST_LANES
      ? lanes
      : lanes.filter(({ step, bars }) => bars.length > 0 || step === selected).slice(-MOST_LANES);
  return (
    <section className="timeline" aria-label="Timeline">
      <div className="axis" aria-hidden="true">
        {ticks.map(({ atMs, left }) => (
          <span key={atMs} style={{ left: percent(left) }}>
            {duration(atMs - fromMs)}
          </span>
        ))}
      </div>
      <ol>
        {shown.map(({ step, bars }) => {
          const view = run.steps.find(({ id }) => id === step);
          return (
            <li key={step} aria-current={step === selected ? 'true' : undefined}>
              <button type="button" className="plain lane-name" onClick={() => onStep(step)}>
                <span className="mono">{step}</span>
                <Badge state={view?.status ?? 'pending'} />
              </button>
              <div className="bar" role="list" aria-label={`Times of ${step}`}>
                {folds.map(({ left, width, fromMs: from, toMs }) => (
                  <i
                    key={from}
                    className="fold"
                    style={{ left: percent(left), width: percent(width) }}
                    title={`${duration(toMs - from)} without work`}
                  />
                ))}
                {bars.map((bar, at) => (
                  <span
                    key={at}
                    role="listitem"
                    className={bar.kind === 'wait' ? 'wait' : toneOf(bar.status)}
                    style={{ left: percent(bar.left), width: percent(bar.width) }}
                    title={barToText(bar, nowMs)}
                    aria-label={barToText(bar, nowMs)}
                  />
                ))}
                {isLive && <b className="now" aria-hidden="true" />}
              </div>
            </li>
          );
        })}
      </ol>
      {shown.length < lanes.length && (
        <p className="small quiet">
          {lanes.length - shown.length} steps that did nothing yet are not drawn.
        </p>
      )}
      <p className="legend small quiet">
        <span className="bar">
          <span className="good" />
        </span>
        worked
        <span className="bar">
          <span className="wait" />
        </span>
        waited for people
        {folds.length > 0 && (
          <>
            <span className="bar">
              <i className="fold" />
            </span>
            long pause, folded
          </>
        )}
      </p>
    </section>
  );
}

function barToText({ kind, attempt, status, fromMs, toMs }: Bar, nowMs: number): string {
  const took = duration((toMs ?? nowMs) - fromMs);
  if (kind === 'wait') return `waited for a decision: ${took}`;
  return `attempt ${String(attempt)}, ${status}: ${took}`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(3)}%`;
}

/** Goes on by the second while something may. */
function useNow(isLive: boolean): number {
  const [nowMs, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isLive) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isLive]);
  return nowMs;
}
