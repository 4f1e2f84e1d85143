/**
 * A plan as text, and beside it what the server makes of that text: every problem with its line, each step with what it
 * needs and what the policy says to it. Nothing runs before the button.
 */
import { useRef, useState } from 'react';
import type { DryRunView, PlanProblem, SavedPlanView } from '@ccdash/api/client';
import { useAction, useApi } from '../../api/queries.ts';
import { Badge } from '../../ui/badges.tsx';
import { ErrorFace } from '../../ui/faces.tsx';
import { navigate } from '../../ui/router.tsx';
import { plain } from '../../ui/text.ts';
import { useSettled } from '../../ui/use-settled.ts';

interface EditorProps {
  readonly initial: string;
  /** The plan that is edited, and its newest revision as it was seen; null for a new one. */
  readonly saved: { readonly id: string; readonly revision: number } | null;
  readonly feature: string;
  /** The text is shown when it is asked for. */
  readonly isFolded?: boolean;
}

const FILE = 'plan.yaml';

export function PlanEditor({ initial, saved, feature, isFolded = false }: EditorProps) {
  const [text, setText] = useState(initial);
  const [isOpen, setOpen] = useState(!isFolded);
  const [plan, setPlan] = useState<SavedPlanView | null>(null);
  // As it was when this text was begun: a newer one is a conflict, not a new beginning.
  const [seen, setSeen] = useState(saved);
  const area = useRef<HTMLTextAreaElement>(null);
  const settled = useSettled(text);
  const checked = useApi(['check', settled], (api) => api.checkPlan(settled, FILE));
  const isGood = checked.data?.ok === true;
  const tried = useApi(['dry-run', settled], (api) => api.dryRun(settled, FILE), isGood);
  const save = useAction((api, source: string) =>
    seen === null
      ? api.savePlan(source, FILE)
      : api.revisePlan(seen.id, { text: source, file: FILE, seen: seen.revision }),
  );
  const isReady = isGood && settled === text && tried.data !== undefined;
  const keep = (revision: SavedPlanView): void => {
    setPlan(revision);
    if (seen !== null) setSeen(revision);
  };
  const jump = ({ at }: PlanProblem): void => {
    setOpen(true);
    requestAnimationFrame(() => selectLine(area.current, at.line));
  };
  return (
    <div className="stack">
      <div className={isOpen ? 'split' : 'stack'}>
        {isOpen && (
          <label>
            Plan
            <textarea
              ref={area}
              aria-label="Plan"
              className="mono"
              spellCheck={false}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                setPlan(null);
              }}
            />
          </label>
        )}
        <div className="stack" aria-live="polite">
          {checked.isError && <ErrorFace error={checked.error} />}
          <Problems problems={checked.data?.problems ?? []} jump={jump} />
          {tried.isError && <ErrorFace error={tried.error} />}
          {isGood && tried.data !== undefined && <Steps dryRun={tried.data} />}
        </div>
      </div>
      {save.isError && <ErrorFace error={save.error} />}
      <div className="row">
        <button
          type="button"
          className="main"
          disabled={!isReady || save.isPending}
          onClick={() => save.mutate(text, { onSuccess: keep })}
        >
          {isFolded ? 'Run this step…' : 'Save and launch…'}
        </button>
        {isFolded && (
          <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? 'Hide the plan' : 'Edit the plan'}
          </button>
        )}
      </div>
      {plan !== null && <Launch plan={plan} feature={feature} />}
    </div>
  );
}

function selectLine(area: HTMLTextAreaElement | null, line: number): void {
  if (area === null) return;
  const lines = area.value.split('\n');
  const start = lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1] ?? '').length);
}

function Problems({
  problems,
  jump,
}: {
  readonly problems: readonly PlanProblem[];
  readonly jump: (problem: PlanProblem) => void;
}) {
  if (problems.length === 0) return null;
  return (
    <ul className="list" aria-label="Problems">
      {problems.slice(0, 50).map((problem, number) => (
        <li key={number}>
          <div className="item">
            <span>
              {plain(problem.detail)} <span className="quiet">{plain(problem.hint)}</span>
            </span>
            <button type="button" onClick={() => jump(problem)}>
              {problem.severity} at line {problem.at.line}
            </button>
          </div>
        </li>
      ))}
    </ul>
  );
}

function Steps({ dryRun }: { readonly dryRun: DryRunView }) {
  const asks = dryRun.approvalsNeeded.length;
  return (
    <>
      <p className="small quiet">
        {dryRun.steps.length} steps;{' '}
        {asks === 0 ? 'no decision of people is needed' : `${asks} need a decision of people`}
      </p>
      <ol className="list" aria-label="Steps">
        {dryRun.steps.map(({ step, kind, needs, verdict }) => (
          <li key={step}>
            <div className="item">
              <span className="name mono">{step}</span>
              <span className="row">
                <Badge state={verdict.verdict} />
                {verdict.risk !== 'low' && <Badge state={verdict.risk} prefix="risk " />}
              </span>
              <span className="small quiet">
                {kind}
                {needs.length > 0 && `, after ${needs.join(', ')}`}
              </span>
              {verdict.verdict !== 'allow' && verdict.why[0] !== undefined && (
                <span className="small">{plain(verdict.why[0].text)}</span>
              )}
            </div>
          </li>
        ))}
      </ol>
      {dryRun.notCarried.map((sentence) => (
        <p key={sentence} className="small quiet">
          {plain(sentence)}
        </p>
      ))}
    </>
  );
}

/** What the plan asks for, then the one click that starts it. */
function Launch({ plan, feature }: { readonly plan: SavedPlanView; readonly feature: string }) {
  const [given, setGiven] = useState<Readonly<Record<string, string>>>({});
  const launch = useAction((api, inputs: Readonly<Record<string, string>>) =>
    api.launch(plan.id, { revision: plan.revision, feature, inputs }),
  );
  const inputs = Object.entries(plan.plan.inputs);
  return (
    <form
      className="card wait"
      aria-label="Launch"
      onSubmit={(event) => {
        event.preventDefault();
        launch.mutate(given, { onSuccess: ({ id }) => navigate(`/runs/${id}`) });
      }}
    >
      <h2>
        Launch {plain(plan.plan.name)}, revision {plan.revision}
      </h2>
      {inputs.map(([name, { type, default: preset, required }]) => (
        <label key={name}>
          {name} ({type}
          {required ? ', required' : ''})
          <input
            name={name}
            required={required && preset === null}
            placeholder={preset === null ? '' : String(preset)}
            onChange={(event) => setGiven({ ...given, [name]: event.target.value })}
          />
        </label>
      ))}
      {launch.isError && <ErrorFace error={launch.error} />}
      <div>
        <button type="submit" className="main" disabled={launch.isPending}>
          Launch
        </button>
      </div>
    </form>
  );
}
