/** One step looked at closely: what it is to do, what the policy says, and each attempt with what came of it. */
import type { ReactNode } from 'react';
import type { RunView, StepView } from '@ccdash/api/client';
import { useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { Diff } from '../../ui/diff.tsx';
import { Loaded } from '../../ui/faces.tsx';
import { useParam } from '../../ui/router.tsx';
import { ago, cut, duration, usd } from '../../ui/text.ts';
import { toVisibleText } from '../../ui/visible-text.ts';
import { OutputView } from './output-view.tsx';
import { TellForm } from './tell-form.tsx';

type Attempt = StepView['attempts'][number];

export function StepPanel({
  run,
  step,
  actions,
}: {
  readonly run: RunView;
  readonly step: StepView;
  readonly actions: ReactNode;
}) {
  const [named, setNamed] = useParam('attempt');
  const newest = step.attempts.at(-1);
  const attempt = step.attempts.find(({ number }) => String(number) === named) ?? newest;
  return (
    <aside className="card panel" aria-label={`Step ${step.id}`}>
      <div className="head">
        <h2 className="mono">{step.id}</h2>
        <Badge state={step.status} />
        <span className="small quiet">{step.kind}</span>
      </div>
      {step.reason !== null && <p className="reason">{toVisibleText(cut(step.reason, 2000))}</p>}
      {step.hint !== null && <p className="small quiet mono">{toVisibleText(step.hint)}</p>}
      {actions}
      <Verdict step={step} />
      <Work run={run} step={step} />
      {step.attempts.length > 0 && (
        <>
          <div className="row" role="group" aria-label="Attempts">
            {step.attempts.map(({ number, status }) => (
              <button
                key={number}
                type="button"
                aria-pressed={number === attempt?.number}
                onClick={() => setNamed(number === newest?.number ? null : String(number))}
              >
                Attempt {number} <Badge state={status} />
              </button>
            ))}
          </div>
          {attempt !== undefined && (
            <AttemptPart key={attempt.number} run={run} step={step} attempt={attempt} />
          )}
        </>
      )}
      {step.kind === 'agent' && <TellForm runId={run.id} step={step} />}
      {step.outputs !== null && Object.keys(step.outputs).length > 0 && (
        <Part title="Outputs">
          <pre className="sunk">{toVisibleText(cut(JSON.stringify(step.outputs, null, 2)))}</pre>
        </Part>
      )}
      {step.artifacts.length > 0 && (
        <Part title="Artifacts">
          <ul className="plain-list small">
            {step.artifacts.map(({ name, sha256, bytes }) => (
              <li key={`${name} ${sha256}`}>
                <span className="mono">{toVisibleText(name)}</span>{' '}
                <span className="quiet">
                  {bytes} bytes, sha256 {sha256.slice(0, 12)}
                </span>
              </li>
            ))}
          </ul>
        </Part>
      )}
    </aside>
  );
}

function Verdict({ step }: { readonly step: StepView }) {
  const { verdict, risk, why, subjectDigest } = step;
  if (verdict === null && risk === null) return null;
  return (
    <Part title="Policy">
      <p className="row">
        {verdict !== null && <Badge state={verdict} />}
        {risk !== null && <Badge state={risk} prefix="risk " />}
      </p>
      <ul className="plain-list small">
        {why.map(({ rule, text }) => (
          <li key={rule}>
            {toVisibleText(text)} <code className="quiet">{toVisibleText(rule)}</code>
          </li>
        ))}
      </ul>
      {subjectDigest !== null && <p className="small quiet mono clip">subject {subjectDigest}</p>}
    </Part>
  );
}

/** As the plan says it, before what it refers to is filled in. */
function Work({ run, step }: { readonly run: RunView; readonly step: StepView }) {
  const { id, revision } = run.plan;
  const saved = useApi(['plans', id, revision], (api) => api.plan(id, revision));
  const planned = saved.data?.plan.steps.find((one) => one.id === step.id);
  if (planned === undefined) return null;
  const text =
    planned.kind === 'agent'
      ? 'text' in planned.prompt
        ? planned.prompt.text
        : planned.prompt.file
      : planned.kind === 'command'
        ? 'script' in planned.program
          ? planned.program.script
          : planned.program.argv.join(' ')
        : planned.kind === 'approval'
          ? planned.question
          : JSON.stringify(planned.checks, null, 2);
  const title = { agent: 'Prompt', command: 'Command', approval: 'Question', validation: 'Checks' };
  return (
    <Part title={title[planned.kind]}>
      <pre className="sunk short" role="group" tabIndex={0} aria-label={title[planned.kind]}>
        {toVisibleText(cut(text))}
      </pre>
    </Part>
  );
}

function AttemptPart({
  run,
  step,
  attempt,
}: {
  readonly run: RunView;
  readonly step: StepView;
  readonly attempt: Attempt;
}) {
  const { number, startedAt, endedAt, exitCode, failure, checks, output, usage, toolCalls } =
    attempt;
  const took = endedAt === null ? null : Date.parse(endedAt) - Date.parse(startedAt);
  return (
    <>
      <dl className="facts">
        <Fact name="Began">{ago(startedAt)}</Fact>
        {took !== null && <Fact name="Took">{duration(took)}</Fact>}
        {exitCode !== null && <Fact name="Exit code">{exitCode}</Fact>}
        {attempt.resumedFrom !== null && (
          <Fact name="Goes on from">attempt {attempt.resumedFrom}</Fact>
        )}
        {attempt.model !== null && <Fact name="Model">{toVisibleText(attempt.model)}</Fact>}
        {toolCalls > 0 && <Fact name="Tool calls">{toolCalls}</Fact>}
        {usage !== null && step.kind === 'agent' && (
          <Fact name="Used">
            {(usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)} tokens,{' '}
            {usage.usd === null ? 'cost unknown' : usd(usage.usd)}
          </Fact>
        )}
        <Fact name="Sandbox">{attempt.sandbox === 'none' ? 'none' : 'on'}</Fact>
      </dl>
      {failure !== null && (
        <div className="card bad">
          <p>{toVisibleText(cut(failure.message, 4000))}</p>
          {failure.hint !== null && <p className="small quiet">{toVisibleText(failure.hint)}</p>}
        </div>
      )}
      {checks.length > 0 && (
        <Part title="Checks">
          <ul className="plain-list small">
            {checks.map(({ check, pass, evidence }, at) => (
              <li key={at} className="row">
                <Badge state={pass ? 'succeeded' : 'failed'} />
                <span>
                  <span className="mono">{toVisibleText(check)}</span>{' '}
                  <span className="quiet">{toVisibleText(cut(evidence, 2000))}</span>
                </span>
              </li>
            ))}
          </ul>
        </Part>
      )}
      {(step.kind === 'command' || step.kind === 'agent') && (
        <>
          {(step.kind === 'command' || output !== null) && (
            <Part title="Output">
              <OutputView
                runId={run.id}
                step={step.id}
                attempt={number}
                bytes={endedAt === null ? null : (output?.bytes ?? 0)}
              />
            </Part>
          )}
          {endedAt !== null && <Changes run={run} step={step.id} attempt={number} />}
        </>
      )}
    </>
  );
}

function Changes({
  run,
  step,
  attempt,
}: {
  readonly run: RunView;
  readonly step: string;
  readonly attempt: number;
}) {
  const [shown, setShown] = useParam('changes');
  const isOpen = shown !== null;
  const diff = useApi(
    ['run', run.id, 'diff', step, attempt],
    (api) => api.diff(run.id, step, attempt),
    isOpen,
  );
  return (
    <details
      open={isOpen}
      onToggle={(event) => {
        if (event.currentTarget.open !== isOpen) setShown(isOpen ? null : '1');
      }}
    >
      <summary>Changes in the workspace</summary>
      {isOpen && (
        <Loaded query={diff}>
          {({ text, files, truncated }) => (
            <div className="stack">
              {files.length === 0 ? (
                <p className="small quiet">It changed nothing.</p>
              ) : (
                <Diff text={text} />
              )}
              {truncated && <p className="small quiet">The diff is longer than what is shown.</p>}
            </div>
          )}
        </Loaded>
      )}
    </details>
  );
}

function Part({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section className="stack tight">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
