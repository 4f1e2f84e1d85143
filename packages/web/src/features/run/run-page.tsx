/** A run: how it stands and what it waits for, then the same run as a timeline, a graph and a log. */
import { useCallback, useMemo } from 'react';
import type { ApprovalView, RunView, StepView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { Loaded } from '../../ui/faces.tsx';
import { Link, useParam } from '../../ui/router.tsx';
import { ago, cost, duration } from '../../ui/text.ts';
import { toVisibleText } from '../../ui/visible-text.ts';
import { ActionDialog, isDialogAction } from './action-dialog.tsx';
import type { DialogAction } from './action-dialog.tsx';
import { ApplyDialog } from './apply-dialog.tsx';
import { GraphView } from './graph-view.tsx';
import { LogView } from './log-view.tsx';
import { StepPanel } from './step-panel.tsx';
import { TimelineView } from './timeline-view.tsx';
import { WaitingCards } from './waiting-cards.tsx';

export function RunPage({ params }: { readonly params: Readonly<Record<string, string>> }) {
  const id = params['id'] ?? '';
  const run = useApi(['run', id], (api) => api.run(id));
  const approvals = useApi(['approvals', 'all'], (api) => api.approvals());
  const ofRun = useMemo(
    () => (approvals.data ?? []).filter(({ runId }) => runId === id),
    [approvals.data, id],
  );
  return <Loaded query={run}>{(view) => <Run run={view} approvals={ofRun} />}</Loaded>;
}

const VIEWS = ['timeline', 'graph', 'log'] as const;

function Run({
  run,
  approvals,
}: {
  readonly run: RunView;
  readonly approvals: readonly ApprovalView[];
}) {
  const [viewName, setView] = useParam('view');
  const [stepId, setStep] = useParam('step');
  const [dialog, setDialog] = useParam('do');
  const [target, setTarget] = useParam('at');
  const view = VIEWS.find((name) => name === viewName) ?? 'timeline';
  const step = run.steps.find(({ id }) => id === stepId) ?? null;
  const stepByApproval = useMemo(
    () => new Map(approvals.map((approval) => [approval.id, approval.stepId])),
    [approvals],
  );
  const stepOf = useCallback((id: string) => stepByApproval.get(id) ?? null, [stepByApproval]);
  const ask = (action: string, at: string | null): void => {
    setTarget(at);
    setDialog(action);
  };
  const close = (): void => {
    setDialog(null);
    setTarget(null);
  };
  return (
    <>
      <RunHead run={run} onAction={(action) => ask(action, null)} />
      <Ended run={run} onStep={setStep} />
      <WaitingCards run={run} approvals={approvals} onDialog={ask} />
      <div className="row" role="tablist" aria-label="Views of the run">
        {VIEWS.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === view}
            onClick={() => setView(name === 'timeline' ? null : name)}
          >
            {name}
          </button>
        ))}
      </div>
      <div className={step === null ? '' : 'split'}>
        {view === 'timeline' ? (
          <TimelineView run={run} approvals={approvals} selected={stepId} onStep={setStep} />
        ) : view === 'graph' ? (
          <GraphView run={run} selected={stepId} onStep={setStep} />
        ) : (
          <LogView key={run.id} run={run} stepOf={stepOf} onStep={setStep} />
        )}
        {step !== null && (
          <div className="stack">
            <button type="button" className="plain" onClick={() => setStep(null)}>
              Close the step
            </button>
            <StepPanel
              run={run}
              step={step}
              actions={
                <StepActions run={run} step={step} onAction={(action) => ask(action, step.id)} />
              }
            />
          </div>
        )}
      </div>
      {dialog === 'apply' && <ApplyDialog run={run} onClose={close} />}
      {dialog !== null && isDialogAction(dialog) && (
        <ActionDialog
          key={`${dialog} ${target ?? ''}`}
          runId={run.id}
          action={dialog}
          step={target}
          kind={run.steps.find(({ id }) => id === target)?.kind ?? null}
          onClose={close}
        />
      )}
      <p className="hidden" role="status">
        The run is {run.status}.
      </p>
    </>
  );
}

function RunHead({
  run,
  onAction,
}: {
  readonly run: RunView;
  readonly onAction: (action: DialogAction | 'apply') => void;
}) {
  const { status, usage, startedAt, endedAt } = run;
  const isOver = endedAt !== null;
  const done = run.steps.filter(
    (step) => step.status === 'succeeded' || step.status === 'skipped',
  ).length;
  const took =
    startedAt === null
      ? null
      : Date.parse(endedAt ?? new Date().toISOString()) - Date.parse(startedAt);
  return (
    <header className="stack">
      <p className="small quiet">
        <Link to="/runs">Runs</Link> / <span className="mono">{run.id}</span>
      </p>
      <div className="head">
        <h1>{toVisibleText(run.plan.name)}</h1>
        <Badge state={status} />
        <div className="row end">
          {status === 'paused' && <Act name="resume" label="Resume" onAction={onAction} />}
          {!isOver && status !== 'paused' && !run.canceling && (
            <Act name="pause" label="Pause" onAction={onAction} />
          )}
          {run.steps.some((step) => step.status === 'interrupted') && status !== 'paused' && (
            <Act name="resume" label="Resume" onAction={onAction} />
          )}
          {run.steps.some((step) => step.status === 'failed') && (
            <Act name="retry" label="Try again" onAction={onAction} />
          )}
          {status === 'succeeded' && (
            <button type="button" className="main" onClick={() => onAction('apply')}>
              Apply the result
            </button>
          )}
          {run.checkpoint !== null && isStill(status) && (
            <Act name="fork" label="Fork" onAction={onAction} />
          )}
          {run.checkpoint !== null && status !== 'succeeded' && isStill(status) && (
            <button type="button" onClick={() => onAction('apply')}>
              Apply so far
            </button>
          )}
          <a
            className="button"
            href={`/api/v1/runs/${encodeURIComponent(run.id)}/report?format=html`}
            target="_blank"
            rel="noreferrer"
          >
            Report
          </a>
          {status !== 'succeeded' && status !== 'canceled' && !run.canceling && (
            <button type="button" className="danger" onClick={() => onAction('cancel')}>
              Cancel
            </button>
          )}
        </div>
      </div>
      <p className="small quiet">
        {done} of {run.steps.length} steps · revision {run.plan.revision} · asked for by{' '}
        {toVisibleText(run.requestedBy.id)} {ago(run.createdAt)}
        {took !== null && (
          <>
            {' '}
            · {isOver ? 'took' : 'since'} {duration(took)}
          </>
        )}
        {usage.tokens > 0 && (
          <>
            {' '}
            · {usage.tokens} tokens, {cost(usage)}
          </>
        )}
        {run.feature !== null && (
          <>
            {' '}
            ·{' '}
            <Link to={`/features/${encodeURIComponent(run.feature)}`}>
              {toVisibleText(run.feature)}
            </Link>
          </>
        )}
      </p>
      {run.paused !== null && (
        <p>
          Paused by {toVisibleText(run.paused.by.id)} {ago(run.paused.atMs)}
          {run.paused.reason !== null && <>: {toVisibleText(run.paused.reason)}</>}
        </p>
      )}
    </header>
  );
}

/** Nothing moves: it has ended, or waits for people. */
function isStill(status: RunView['status']): boolean {
  return status !== 'queued' && status !== 'running';
}

/** Failure first: which step, why, and what came of the result. */
function Ended({
  run,
  onStep,
}: {
  readonly run: RunView;
  readonly onStep: (step: string) => void;
}) {
  const failed = run.steps.filter(({ status }) => status === 'failed');
  return (
    <>
      {run.failure !== null && (
        <div className="card bad">
          <h2>The run did not start: {toVisibleText(run.failure.message)}</h2>
          {run.failure.hint !== null && <p>{toVisibleText(run.failure.hint)}</p>}
        </div>
      )}
      {failed.slice(0, 3).map(({ id, reason }) => (
        <div key={id} className="card bad">
          <div className="head">
            <h2>
              <span className="mono">{id}</span> failed
              {reason !== null && <>: {toVisibleText(reason)}</>}
            </h2>
            <button type="button" className="end" onClick={() => onStep(id)}>
              See why
            </button>
          </div>
        </div>
      ))}
      {run.applied.map(({ branch, commit, failure, at }) => (
        <p key={at} className="row">
          <Badge state={failure === null ? 'done' : 'failed'} />
          {failure === null ? (
            <span>
              The result is on <code>{toVisibleText(branch)}</code>
              {commit !== null && <>, {commit.slice(0, 12)}</>}
            </span>
          ) : (
            <span>
              The result is not on <code>{toVisibleText(branch)}</code>:{' '}
              {toVisibleText(failure.message)}
            </span>
          )}
        </p>
      ))}
      {run.overrides.map(({ approval, step, by, reason, review }) => (
        <p key={approval} className="row">
          <Badge state={review === null ? 'open' : 'done'} />
          <span>
            The policy was overridden for <code>{step}</code> by {toVisibleText(by.join(', '))}:{' '}
            {toVisibleText(reason)} {review === null ? '(nobody has looked at it yet)' : ''}
          </span>
        </p>
      ))}
    </>
  );
}

function StepActions({
  run,
  step,
  onAction,
}: {
  readonly run: RunView;
  readonly step: StepView;
  readonly onAction: (action: DialogAction) => void;
}) {
  if (run.canceling || run.status === 'canceled') return null;
  const { status, attempts } = step;
  const isOpen = status !== 'succeeded' && status !== 'skipped' && status !== 'canceled';
  return (
    <div className="row">
      {status === 'interrupted' && <Act name="resume" label="Resume" onAction={onAction} />}
      {(status === 'failed' || status === 'interrupted' || status === 'blocked') &&
        attempts.length > 0 && <Act name="retry" label="Try again" onAction={onAction} />}
      {attempts.length > 0 && status !== 'running' && (
        <Act name="restart" label="Restart from here" onAction={onAction} />
      )}
      {isOpen && status !== 'running' && <Act name="skip" label="Skip" onAction={onAction} />}
    </div>
  );
}

function Act({
  name,
  label,
  onAction,
}: {
  readonly name: DialogAction;
  readonly label: string;
  readonly onAction: (action: DialogAction) => void;
}) {
  return (
    <button type="button" onClick={() => onAction(name)}>
      {label}
    </button>
  );
}
