/** What the run waits for: one sentence, who can help, and the button. */
import type { ApprovalView, RunView } from '@ccdash/api/client';
import { ApprovalCard } from '../../ui/approval-card.tsx';
import { ago } from '../../ui/text.ts';
import { toVisibleText } from '../../ui/visible-text.ts';
import { waitingOf } from './waiting-words.ts';
import type { Waiting } from './waiting-words.ts';

/** More are told by their number: whoever has fifty of them decides in the inbox. */
const SHOWN = 3;

export function WaitingCards({
  run,
  approvals,
  onDialog,
}: {
  readonly run: RunView;
  readonly approvals: readonly ApprovalView[];
  readonly onDialog: (action: string, step: string) => void;
}) {
  const waiting = waitingOf(run, approvals);
  if (run.quarantine !== null) {
    return (
      <div className="card bad" role="status">
        <h2>The engine has left this run alone, because of a bug</h2>
        <p>{toVisibleText(run.quarantine)}</p>
      </div>
    );
  }
  if (waiting.length === 0) return null;
  return (
    <section className="stack" aria-label="What the run waits for">
      {waiting.slice(0, SHOWN).map((one) => (
        <div key={`${one.step} ${one.sentence}`} className="card wait">
          <Sentence waiting={one} onDialog={onDialog} />
          {one.act?.kind === 'approval' && <ApprovalCard id={one.act.approval} isInline />}
        </div>
      ))}
      {waiting.length > SHOWN && <p className="small quiet">and {waiting.length - SHOWN} more</p>}
    </section>
  );
}

function Sentence({
  waiting,
  onDialog,
}: {
  readonly waiting: Waiting;
  readonly onDialog: (action: string, step: string) => void;
}) {
  const { sentence, sinceMs, who, act, step } = waiting;
  return (
    <div className="head">
      <div className="stack tight">
        <h2>{toVisibleText(sentence)}</h2>
        <p className="small quiet">
          {sinceMs !== null && <>Since {ago(sinceMs)}. </>}
          Waits for {toVisibleText(who)}.
        </p>
      </div>
      {act?.kind === 'dialog' && (
        <button type="button" className="main end" onClick={() => onDialog(act.action, step)}>
          {act.label}
        </button>
      )}
    </div>
  );
}
