/** Says something to an agent while it works, or stops it and goes on with that. */
import { useState } from 'react';
import type { StepView } from '@ccdash/api/client';
import { useAction } from '../../api/queries.ts';
import { ErrorFace } from '../../ui/faces.tsx';
import { ago } from '../../ui/text.ts';
import { toVisibleText } from '../../ui/visible-text.ts';

export function TellForm({ runId, step }: { readonly runId: string; readonly step: StepView }) {
  const [text, setText] = useState('');
  const tell = useAction((api, restart: boolean) => api.tell(runId, step.id, { text, restart }));
  const send = (restart: boolean): void => {
    tell.mutate(restart, { onSuccess: () => setText('') });
  };
  return (
    <section className="stack tight">
      {step.messages.length > 0 && (
        <ul className="plain-list small" aria-label="Messages to the agent">
          {step.messages.map(({ id, by, at, text: said, status }) => (
            <li key={id}>
              <strong>{by.id}</strong>{' '}
              <span className="quiet">
                {ago(at)}, {MESSAGE[status]}
              </span>
              <p className="words">{toVisibleText(said)}</p>
            </li>
          ))}
        </ul>
      )}
      {step.status === 'running' && (
        <form className="stack tight" onSubmit={(event) => event.preventDefault()}>
          <label>
            Tell the agent
            <textarea rows={2} value={text} onChange={(event) => setText(event.target.value)} />
          </label>
          <div className="row">
            <button
              type="button"
              disabled={text.trim() === '' || tell.isPending}
              onClick={() => send(false)}
            >
              Tell it now
            </button>
            <button
              type="button"
              disabled={text.trim() === '' || tell.isPending}
              onClick={() => send(true)}
            >
              Stop it and go on with this
            </button>
          </div>
          {tell.isError && <ErrorFace error={tell.error} />}
        </form>
      )}
    </section>
  );
}

const MESSAGE: Readonly<Record<StepView['messages'][number]['status'], string>> = {
  waiting: 'not taken yet',
  taken: 'taken',
  missed: 'came too late',
};
