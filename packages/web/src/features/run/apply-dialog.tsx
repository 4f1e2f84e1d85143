/** Brings the result of a run into the project, after what that changes was shown. */
import { useState } from 'react';
import type { ApplySummaryView, RunView } from '@ccdash/api/client';
import { useAction, useApi } from '../../api/queries.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { ErrorFace, Loaded } from '../../ui/faces.tsx';
import { toVisibleText } from '../../ui/visible-text.ts';

type Mode = ApplySummaryView['as'];

const MODES: readonly (readonly [mode: Mode, says: string])[] = [
  ['branch', 'a branch of its own, to look at and merge by hand'],
  ['squash', 'one commit on a branch'],
  ['merge', 'a merge into a branch'],
];
const SHOWN_FILES = 20;

export function ApplyDialog({
  run,
  onClose,
}: {
  readonly run: RunView;
  readonly onClose: () => void;
}) {
  const [as, setAs] = useState<Mode>('branch');
  const [reason, setReason] = useState('');
  const summary = useApi(['run', run.id, 'apply', as], (api) => api.previewApply(run.id, { as }));
  const apply = useAction((api, shown: ApplySummaryView) =>
    api.apply(run.id, {
      as: shown.as,
      digest: shown.digest,
      reason: reason.trim() === '' ? null : reason,
    }),
  );
  const shown = summary.data;
  const isBarred = shown === undefined || shown.conflicts.length > 0 || summary.isFetching;
  return (
    <Dialog title="Apply the result" onClose={onClose}>
      <fieldset>
        <legend>As</legend>
        {MODES.map(([mode, says]) => (
          <label key={mode} className="inline">
            <input type="radio" name="as" checked={as === mode} onChange={() => setAs(mode)} />
            <span>
              <strong>{mode}</strong>: {says}
            </span>
          </label>
        ))}
      </fieldset>
      <Loaded query={summary}>{(one) => <SummaryPart summary={one} />}</Loaded>
      <label>
        Reason (recorded, may be left out)
        <textarea rows={2} value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
      {apply.isError && <ErrorFace error={apply.error} />}
      <div className="row">
        <button
          type="button"
          className="main"
          disabled={isBarred || apply.isPending}
          onClick={() => shown !== undefined && apply.mutate(shown, { onSuccess: onClose })}
        >
          Apply
        </button>
        <button type="button" onClick={onClose}>
          Leave it
        </button>
      </div>
    </Dialog>
  );
}

function SummaryPart({ summary }: { readonly summary: ApplySummaryView }) {
  const { branch, files, insertions, deletions, conflicts, dirty, isCheckedOut, digest } = summary;
  return (
    <section className="card" aria-label="What it would do">
      <p>
        {files.length} files on <strong className="mono">{toVisibleText(branch)}</strong>, +
        {insertions} −{deletions}
      </p>
      {conflicts.length > 0 && (
        <p role="alert">
          Does not fit what the branch has by now: {toVisibleText(conflicts.join(', '))}
        </p>
      )}
      {isCheckedOut && dirty.length > 0 && (
        <p>Not committed in the project: {toVisibleText(dirty.join(', '))}</p>
      )}
      <ul className="plain-list small mono">
        {files.slice(0, SHOWN_FILES).map(({ path, change }) => (
          <li key={path}>
            {change} {toVisibleText(path)}
          </li>
        ))}
        {files.length > SHOWN_FILES && <li>and {files.length - SHOWN_FILES} more</li>}
      </ul>
      <p className="small quiet mono clip">digest {digest}</p>
    </section>
  );
}
