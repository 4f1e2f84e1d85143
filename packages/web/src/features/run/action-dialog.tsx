/**
 * What somebody may do with a run, each by a dialog of its own: what it would do is asked of the server first, and
 * exactly that is agreed to, by the digest of what was shown.
 */
import { useState } from 'react';
import type { ReactNode } from 'react';
import type {
  Client,
  ControlAction,
  ImpactSummaryView,
  RunView,
  StepChange,
  StepView,
} from '@ccdash/api/client';
import { useAction, useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { ErrorFace, Loaded } from '../../ui/faces.tsx';
import { navigate } from '../../ui/router.tsx';
import { cost, usd } from '../../ui/text.ts';
import { useSettled } from '../../ui/use-settled.ts';
import { toVisibleText } from '../../ui/visible-text.ts';

export type DialogAction = Exclude<ControlAction, 'replan'> | 'fork';

interface Words {
  readonly title: string;
  readonly says: string;
  readonly button: string;
  readonly needsReason: boolean;
  readonly isDanger?: true;
}

export const ACTIONS: Readonly<Record<DialogAction, Words>> = {
  resume: {
    ...{ title: 'Resume', button: 'Resume', needsReason: false },
    says: 'Goes on with what was interrupted or paused, from where it was. Nothing that is done runs again.',
  },
  retry: {
    ...{ title: 'Try again', button: 'Try again', needsReason: false },
    says: 'Begins what failed anew, from the checkpoint before it. Earlier attempts stay in the record.',
  },
  restart: {
    ...{ title: 'Restart from here', button: 'Restart', needsReason: false, isDanger: true },
    says: 'Takes the workspace back to before this step, and runs it and all that was built on it again.',
  },
  skip: {
    ...{ title: 'Skip this step', button: 'Skip', needsReason: true, isDanger: true },
    says: 'Goes on without this step. What needs its outputs may be blocked by that.',
  },
  fork: {
    ...{ title: 'Fork', button: 'Begin the new run', needsReason: false },
    says: 'Begins a new run with what was done here, and the workspace as it is at its newest checkpoint. This one stays as it is.',
  },
  pause: {
    ...{ title: 'Pause', button: 'Pause', needsReason: false },
    says: 'Lets nothing more begin, until the run is resumed. What works now goes on to its end.',
  },
  cancel: {
    ...{ title: 'Cancel the run', button: 'Cancel the run', needsReason: true, isDanger: true },
    says: 'Ends the run for good. What works now is stopped; what was done stays in the record.',
  },
};

export function isDialogAction(action: string): action is DialogAction {
  return Object.hasOwn(ACTIONS, action);
}

export function ActionDialog({
  runId,
  action,
  step,
  kind,
  onClose,
}: {
  readonly runId: string;
  readonly action: DialogAction;
  readonly step: string | null;
  /** Of the step. */
  readonly kind: StepView['kind'] | null;
  readonly onClose: () => void;
}) {
  const [reason, setReason] = useState('');
  const [change, setChange] = useState<StepChange>({});
  const settled = useSettled(change);
  const { title, says, button, needsReason, isDanger } = ACTIONS[action];
  const changed = Object.keys(settled).length > 0 ? { change: settled } : {};
  const of = step === null ? {} : action === 'fork' ? { at: step } : { step, ...changed };
  // For cancel, a reason is a part of what is asked, though it changes nothing of what would happen.
  const impact = useApi(['run', runId, 'impact', action, step, JSON.stringify(settled)], (api) =>
    api.preview(runId, action, action === 'skip' ? { ...of, reason: 'preview' } : of),
  );
  const act = useAction((api, digest: string) =>
    perform(api, runId, action, { step, reason, digest, change: changed.change ?? null }),
  );
  const done = (run: RunView): void => {
    onClose();
    if (run.id !== runId) navigate(`/runs/${encodeURIComponent(run.id)}`);
  };
  const shown = impact.data;
  const lacksReason = needsReason && reason.trim() === '';
  return (
    <Dialog title={step === null ? title : `${title}: ${step}`} onClose={onClose}>
      <p>{says}</p>
      {action === 'retry' && (kind === 'agent' || kind === 'command') && (
        <ChangeFields kind={kind} change={change} onChange={setChange} />
      )}
      <Loaded query={impact}>{(summary) => <ImpactPart impact={summary} />}</Loaded>
      <label>
        {needsReason ? 'Reason (recorded)' : 'Reason (recorded, may be left out)'}
        <textarea rows={2} value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
      {act.isError && <ErrorFace error={act.error} />}
      {act.isError && <p className="small">Above is what it would do by now; look at it again.</p>}
      <div className="row">
        <button
          type="button"
          className={isDanger === true ? 'danger' : 'main'}
          disabled={
            shown === undefined ||
            settled !== change ||
            impact.isFetching ||
            lacksReason ||
            act.isPending
          }
          onClick={() => shown !== undefined && act.mutate(shown.digest, { onSuccess: done })}
        >
          {button}
        </button>
        <button type="button" onClick={onClose}>
          Leave it
        </button>
      </div>
    </Dialog>
  );
}

interface Given {
  readonly step: string | null;
  readonly reason: string;
  readonly digest: string;
  readonly change: StepChange | null;
}

/** What may be otherwise the next time; what is left empty stays as the plan has it. */
function ChangeFields({
  kind,
  change,
  onChange,
}: {
  readonly kind: 'agent' | 'command';
  readonly change: StepChange;
  readonly onChange: (change: StepChange) => void;
}) {
  const set = (name: 'prompt' | 'model' | 'command', text: string): void => {
    const { [name]: _, ...others } = change;
    onChange(text.trim() === '' ? others : { ...others, [name]: text });
  };
  const setBudget = (text: string): void => {
    const { budget: _, ...others } = change;
    const usdMost = Number(text);
    onChange(usdMost > 0 ? { ...others, budget: { usd: usdMost } } : others);
  };
  if (kind === 'command') {
    return (
      <label>
        Another command (left empty: as it is)
        <textarea
          rows={2}
          value={change.command ?? ''}
          onChange={(event) => set('command', event.target.value)}
        />
      </label>
    );
  }
  return (
    <>
      <label>
        Another prompt (left empty: as it is)
        <textarea
          rows={3}
          value={change.prompt ?? ''}
          onChange={(event) => set('prompt', event.target.value)}
        />
      </label>
      <div className="row">
        <label>
          Another model
          <input
            value={change.model ?? ''}
            onChange={(event) => set('model', event.target.value)}
          />
        </label>
        <label>
          Budget in USD
          <input
            type="number"
            min="0"
            step="any"
            value={change.budget?.usd ?? ''}
            onChange={(event) => setBudget(event.target.value)}
          />
        </label>
      </div>
    </>
  );
}

function perform(
  api: Client,
  runId: string,
  action: DialogAction,
  { step, reason, digest, change }: Given,
) {
  const said = reason.trim() === '' ? null : reason;
  const at = step ?? '';
  switch (action) {
    case 'resume':
      return api.resume(runId, { step, reason: said, digest });
    case 'retry':
      return api.retry(runId, { step, reason: said, digest, change });
    case 'restart':
      return api.restart(runId, { step: at, reason: said, digest });
    case 'skip':
      return api.skip(runId, { step: at, reason: said, digest });
    case 'fork':
      return api.fork(runId, { at: step, reason: said, digest });
    case 'pause':
      return api.pause(runId, { reason: said, digest });
    case 'cancel':
      return api.cancel(runId, { reason, digest });
  }
}

const SHOWN_FILES = 10;

export function ImpactPart({ impact }: { readonly impact: ImpactSummaryView }) {
  const { status, rewinds, files, lines, keptAt, spent, expected, sideEffects } = impact;
  const repeats = sideEffects.filter(({ hosts, did }) => hosts.length > 0 || did.length > 0);
  return (
    <section className="card" aria-label="What it would do">
      <p className="row">
        <Badge state={status.before} /> <span aria-label="then">→</span>{' '}
        <Badge state={status.after} />
      </p>
      <dl className="facts">
        <Steps name="Runs again" steps={impact.again} />
        <Steps name="Counts no more" steps={impact.stale} />
        <Steps name="Kept" steps={impact.kept} />
        <Steps name="Skipped" steps={impact.skipped} />
        <Steps
          name="Its dependents"
          steps={impact.follows.map(({ step, how }) => `${step}: ${FOLLOWS[how]}`)}
        />
        <Steps name="Stopped first" steps={impact.stopped} />
        <Steps name="Canceled" steps={impact.canceled} />
        <Steps name="Checked again" steps={impact.validations} />
        <Steps
          name="Asked again"
          steps={impact.approvals.map(({ step, was }) => `${step} (was ${was})`)}
        />
        <Steps name="Asks first" steps={impact.asks.map(({ step }) => step)} />
        <Steps name="Set aside" steps={impact.setsAside} />
        <Steps name="Sessions" steps={impact.sessions.map(({ step, way }) => `${step}: ${way}`)} />
        {rewinds !== null && (
          <Fact name="Workspace">
            goes back to {rewinds.to.commit.slice(0, 12)}; {files.length} files change
            {lines !== null &&
              `, ${String(lines.added)} lines come and ${String(lines.removed)} go`}
            {keptAt !== null && (
              <>
                ; what was there is kept at <span className="mono">{keptAt}</span>
              </>
            )}
            <ul className="plain-list mono">
              {files.slice(0, SHOWN_FILES).map(({ path, change }) => (
                <li key={path}>
                  {change} {toVisibleText(path)}
                </li>
              ))}
              {files.length > SHOWN_FILES && <li>and {files.length - SHOWN_FILES} more</li>}
            </ul>
          </Fact>
        )}
        {repeats.length > 0 && (
          <Fact name="May happen twice">
            <ul className="plain-list">
              {repeats.flatMap(({ step, hosts, did }) => [
                ...hosts.map((host) => (
                  <li key={`${step} ${host}`}>
                    {step} at {toVisibleText(host)}
                  </li>
                )),
                ...did.map(({ what, effects }) => (
                  <li key={`${step} ${what}`}>
                    {step}: <span className="mono">{toVisibleText(what)}</span> (
                    {effects.join(', ')})
                  </li>
                )),
              ])}
            </ul>
          </Fact>
        )}
        {spent.tokens > 0 && (
          <Fact name="Cost">
            {cost(spent)} so far
            {expected.usd !== null && (
              <>
                , {usd(expected.usd.least)} to {usd(expected.usd.most)} expected
              </>
            )}
          </Fact>
        )}
      </dl>
      <p className="small quiet mono clip">digest {impact.digest}</p>
    </section>
  );
}

const FOLLOWS = {
  'goes on': 'goes on without it',
  blocks: 'reads its output and will be blocked',
  fails: 'checks it and will fail',
} as const;

function Steps({ name, steps }: { readonly name: string; readonly steps: readonly string[] }) {
  return steps.length === 0 ? null : <Fact name={name}>{steps.join(', ')}</Fact>;
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
