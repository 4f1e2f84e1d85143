/** The policy in force, in words, and what it says to a command before anything runs. */
import type { PolicyCheckView, PolicyRuleView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { ErrorFace, Loaded } from '../../ui/faces.tsx';
import { useParam } from '../../ui/router.tsx';
import { plain } from '../../ui/text.ts';
import { useSettled } from '../../ui/use-settled.ts';

export function PolicyPage() {
  const policy = useApi(['policy'], (api) => api.policy());
  return (
    <>
      <h1>Policy</h1>
      <TryCommand />
      <Loaded query={policy}>
        {({ source, digest, notice, rules }) => (
          <>
            {notice !== null && (
              <div className="card wait">
                <p>{plain(notice)}</p>
              </div>
            )}
            <p className="small quiet">
              {source === 'shipped'
                ? 'The rules that ship with CCDash are in force.'
                : 'The rules of this project are in force.'}{' '}
              <code>{digest}</code>
            </p>
            <ul className="list" aria-label="Rules">
              {rules.map((rule) => (
                <Rule key={rule.id} rule={rule} />
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </>
  );
}

function TryCommand() {
  const [command, setCommand] = useParam('command');
  const asked = useSettled((command ?? '').trim());
  const checked = useApi(
    ['policy', 'check', asked],
    (api) => api.checkPolicy({ command: asked }),
    asked !== '',
  );
  return (
    <section className="card" aria-label="Try a command">
      <label>
        Try a command; nothing runs
        <input
          className="mono"
          value={command ?? ''}
          placeholder="git push origin main"
          onChange={(event) => setCommand(event.target.value)}
        />
      </label>
      <div aria-live="polite">
        {asked !== '' && checked.isError && <ErrorFace error={checked.error} />}
        {asked !== '' && checked.data !== undefined && <Verdict checked={checked.data} />}
      </div>
    </section>
  );
}

function Verdict({ checked }: { readonly checked: PolicyCheckView }) {
  const { verdict, risk, why, requires, does } = checked;
  return (
    <div className="stack">
      <div className="row">
        <Badge state={verdict} />
        <Badge state={risk} prefix="risk " />
      </div>
      <ul className="small">
        {why.map(({ rule, text }) => (
          <li key={rule}>
            {plain(text)} <span className="quiet">({rule})</span>
          </li>
        ))}
        {verdict === 'requires_approval' && (
          <li>
            It needs {requires.count === 1 ? 'one person' : `${requires.count} people`} with the
            role {requires.roles.join(' or ')}
            {requires.excludeRequester && ', not who asked for the run'}.
          </li>
        )}
        {does?.because.map(({ effect, text }, number) => (
          <li key={number} className="quiet">
            {effect.replaceAll('-', ' ')}: {plain(text)}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Rule({ rule }: { readonly rule: PolicyRuleView }) {
  const { id, text, effect, absolute, file, source } = rule;
  return (
    <li>
      <div className="item">
        <span>{plain(text)}</span>
        <Badge state={effect} />
        <details className="small">
          <summary className="quiet">
            {id}
            {absolute && ', no override lifts it'}
          </summary>
          <p className="quiet">{plain(file)}</p>
          <pre>{plain(source)}</pre>
        </details>
      </div>
    </li>
  );
}
