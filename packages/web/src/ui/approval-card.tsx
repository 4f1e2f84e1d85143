/**
 * A request for a decision: exactly what is asked, drawn from the fields that its digest is over, and the decision. It
 * takes a choice and then a button: no single key decides.
 */
import { useState } from 'react';
import type { ReactNode } from 'react';
import type { ApprovalView, FormField, PersonView, RunView } from '@ccdash/api/client';
import { useAction, useApi } from '../api/queries.ts';
import { Badge } from './badges.tsx';
import { Diff } from './diff.tsx';
import { ErrorFace, Loaded } from './faces.tsx';
import { Link } from './router.tsx';
import { ago, cut } from './text.ts';
import { toVisibleText } from './visible-text.ts';

export function ApprovalCard({
  id,
  isInline = false,
}: {
  readonly id: string;
  readonly isInline?: boolean;
}) {
  const approval = useApi(['approvals', id], (api) => api.approval(id));
  return (
    <Loaded query={approval}>
      {(one) => <Card key={one.id} approval={one} isInline={isInline} />}
    </Loaded>
  );
}

const QUESTIONS: Readonly<Record<ApprovalView['kind'], string>> = {
  start: 'May this step start?',
  gate: 'A decision of the plan',
  tool: 'May the agent use this tool?',
  override: 'May this step start although the policy says otherwise?',
  skip: 'May the run go on without this step?',
  replan: 'May the run follow another plan?',
};

export function questionOf({ kind }: Pick<ApprovalView, 'kind'>): string {
  return QUESTIONS[kind];
}

function Card({
  approval,
  isInline,
}: {
  readonly approval: ApprovalView;
  readonly isInline: boolean;
}) {
  const { id, runId, stepId, kind, why, risk, status, detail, requestedAt, expiresAtMs } = approval;
  const run = useApi(['run', runId], (api) => api.run(runId));
  const me = useApi(['people', 'me'], (api) => api.whoAmI());
  const barred =
    me.data === undefined || run.data === undefined ? null : whyNot(approval, me.data, run.data);
  return (
    <article className={isInline ? 'stack' : 'card'} aria-label={`Request ${id}`}>
      <div className="head">
        {!isInline && <h2>{QUESTIONS[kind]}</h2>}
        <Badge state={status} />
        <Badge state={risk} prefix="risk " />
        <span className="small quiet">
          asked {ago(requestedAt)}
          {expiresAtMs !== null && status === 'open' && <>, ends {ago(expiresAtMs)}</>}
        </span>
        <span className="small quiet end">
          {isInline ? (
            <Link to={`/approvals/${id}`}>Page of the request</Link>
          ) : (
            <Link to={`/runs/${runId}?step=${stepId}`}>See the run</Link>
          )}
        </span>
      </div>
      {why.length > 0 && (
        <ul className="plain-list" aria-label="Why it is asked">
          {why.map(({ rule, text }) => (
            <li key={rule}>
              {toVisibleText(text)} <code className="small quiet">{toVisibleText(rule)}</code>
            </li>
          ))}
        </ul>
      )}
      <Subject approval={approval} run={run.data ?? null} />
      <Changes approval={approval} />
      <Decisions approval={approval} />
      {status !== 'open' ? (
        <p role="status">
          This request is {status}
          {detail !== null && <>: {toVisibleText(detail)}</>}. Nothing more can be decided on it.
        </p>
      ) : barred !== null ? (
        <p role="note">
          <strong>You cannot decide this:</strong> {toVisibleText(barred)}
        </p>
      ) : (
        run.data !== undefined && <DecisionForm approval={approval} run={run.data} />
      )}
    </article>
  );
}

/** Known from elsewhere on the page, or named by the digest. */
const TOLD: ReadonlySet<string> = new Set(['v', 'kind', 'run', 'step', 'show']);
/** What an agent wrote: shown as its words, never as ours. */
const OF_AGENT: ReadonlySet<string> = new Set(['title', 'name', 'input', 'prompt']);
/** Read first, in this order. */
const FIRST = ['question', 'program', 'prompt', 'tool', 'name', 'title', 'input', 'does'];

function Subject({
  approval,
  run,
}: {
  readonly approval: ApprovalView;
  readonly run: RunView | null;
}) {
  const { subject, subjectDigest, kind } = approval;
  const fields = Object.entries(subject).filter(
    ([name, value]) => !TOLD.has(name) && value !== null,
  );
  const place = (name: string): number =>
    FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length;
  fields.sort(([a], [b]) => place(a) - place(b));
  const asked = fields.filter(([name]) => FIRST.includes(name));
  const around = fields.filter(([name]) => !FIRST.includes(name));
  const shows = subject['show'];
  return (
    <section className="stack" aria-label="What is asked">
      {asked.map(([name, value]) => {
        const isAgents = kind === 'tool' && OF_AGENT.has(name);
        return (
          <div key={name} className={isAgents ? 'agent stack tight' : 'stack tight'}>
            <p className="small quiet">{isAgents ? `${name}, in the agent's words` : name}</p>
            <pre className="sunk short" role="group" tabIndex={0} aria-label={name}>
              {toVisibleText(textOf(value))}
            </pre>
          </div>
        );
      })}
      {typeof shows === 'object' && shows !== null && (
        <Shown references={Object.keys(shows)} run={run} />
      )}
      <details>
        <summary>All that the digest is over</summary>
        <dl className="facts">
          {around.map(([name, value]) => (
            <Pair key={name} name={name}>
              <span className="mono">{toVisibleText(cut(textOf(value), 5000))}</span>
            </Pair>
          ))}
          <Pair name="digest">
            <span className="mono">{subjectDigest}</span>
          </Pair>
        </dl>
      </details>
    </section>
  );
}

/** What the plan wants the approver to look at, as far as the run holds it. */
function Shown({
  references,
  run,
}: {
  readonly references: readonly string[];
  readonly run: RunView | null;
}) {
  const parts = references.flatMap((reference): readonly (readonly [string, string])[] => {
    const [stepId = '', key = ''] = reference.split('.');
    const step = run?.steps.find(({ id }) => id === stepId);
    const tail = step?.attempts.at(-1)?.output?.tail;
    if (key === 'output' && tail !== undefined) return [[reference, tail.join('\n')]];
    const value = step?.outputs?.[key];
    return value === undefined ? [] : [[reference, textOf(value)]];
  });
  return parts.map(([reference, text]) => (
    <div key={reference} className="agent stack tight">
      <p className="small quiet">{reference}, as the step wrote it</p>
      <pre className="sunk short" role="group" tabIndex={0} aria-label={reference}>
        {toVisibleText(cut(text, 20_000))}
      </pre>
    </div>
  ));
}

function Changes({ approval }: { readonly approval: ApprovalView }) {
  const [isOpen, setOpen] = useState(approval.kind === 'gate');
  const diff = useApi(
    ['approvals', approval.id, 'diff'],
    (api) => api.approvalDiff(approval.id),
    isOpen,
  );
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Changes in the workspace it is about</summary>
      {isOpen && (
        <Loaded query={diff}>
          {({ text, files, truncated }) => (
            <div className="stack">
              {files.length === 0 ? <p className="small quiet">None.</p> : <Diff text={text} />}
              {truncated && <p role="alert">The diff is longer than what is shown here.</p>}
            </div>
          )}
        </Loaded>
      )}
    </details>
  );
}

function Decisions({ approval }: { readonly approval: ApprovalView }) {
  if (approval.decisions.length === 0) return null;
  return (
    <ul className="plain-list" aria-label="Decisions">
      {approval.decisions.map(({ approver, decision, reason, at, assurance, selfApproved }) => (
        <li key={`${approver} ${at}`} className="row">
          <Badge state={decision === 'approve' ? 'approved' : 'rejected'} />
          <span>
            by {toVisibleText(approver)} {ago(at)}
            {assurance !== 'session' && <>, by {assurance}</>}
            {selfApproved && <>, who asked for the run</>}
            {reason !== '' && <>: {toVisibleText(reason)}</>}
          </span>
        </li>
      ))}
    </ul>
  );
}

function DecisionForm({
  approval,
  run,
}: {
  readonly approval: ApprovalView;
  readonly run: RunView;
}) {
  // What was shown first is what is decided on: if it moves, the server says so.
  const [seenDigest] = useState(approval.subjectDigest);
  const [decision, setDecision] = useState<'approve' | 'reject' | null>(null);
  const [reason, setReason] = useState('');
  const [code, setCode] = useState('');
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const { id, revision } = run.plan;
  const isGate = approval.kind === 'gate';
  const plan = useApi(['plans', id, revision], (api) => api.plan(id, revision), isGate);
  const planned = plan.data?.plan.steps.find((step) => step.id === approval.stepId);
  const fields = isGate && planned?.kind === 'approval' ? Object.entries(planned.form) : [];
  const decide = useAction((api, chosen: 'approve' | 'reject') =>
    api.decide(approval.id, {
      ...{ decision: chosen, reason, subjectDigest: seenDigest },
      form: chosen === 'approve' ? formOf(fields, values) : {},
      proof: code === '' ? null : { kind: 'totp', code },
    }),
  );
  const { assurance } = approval.requires;
  const lacksReason = decision === 'reject' && reason.trim() === '';
  const isReady = decision !== null && !lacksReason && (!isGate || plan.data !== undefined);
  return (
    <form className="stack decision" onSubmit={(event) => event.preventDefault()}>
      <div className="row" role="radiogroup" aria-label="Your decision">
        {(['approve', 'reject'] as const).map((one) => (
          <label key={one} className="inline choice">
            <input
              type="radio"
              name={`decision-${approval.id}`}
              checked={decision === one}
              onChange={() => setDecision(one)}
            />
            {one === 'approve' ? 'Approve' : 'Reject'}
          </label>
        ))}
      </div>
      {decision === 'approve' &&
        fields.map(([name, field]) => (
          <Field
            key={name}
            name={name}
            field={field}
            value={values[name] ?? ''}
            onChange={(value) => setValues({ ...values, [name]: value })}
          />
        ))}
      {decision !== null && (
        <label>
          {decision === 'reject' ? 'Reason (goes to whoever does it again)' : 'Reason (recorded)'}
          <textarea rows={2} value={reason} onChange={(event) => setReason(event.target.value)} />
        </label>
      )}
      {assurance !== 'session' && decision !== null && (
        <label>
          {assurance === 'passkey'
            ? 'This needs a passkey. A one-time code is not enough for it.'
            : 'One-time code'}
          <input
            inputMode="numeric"
            autoComplete="one-time-code"
            value={code}
            onChange={(event) => setCode(event.target.value)}
          />
        </label>
      )}
      {decide.isError && <ErrorFace error={decide.error} />}
      <div>
        <button
          type="button"
          className={decision === 'reject' ? 'danger' : 'main'}
          disabled={!isReady || decide.isPending}
          onClick={() => decision !== null && decide.mutate(decision)}
        >
          {decision === null
            ? 'Choose first'
            : decision === 'approve'
              ? 'Record approval'
              : 'Record rejection'}
        </button>
      </div>
    </form>
  );
}

function Field({
  name,
  field,
  value,
  onChange,
}: {
  readonly name: string;
  readonly field: FormField;
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  if (field.type === 'boolean') {
    return (
      <label className="inline">
        <input
          type="checkbox"
          checked={value === 'true'}
          onChange={(event) => onChange(String(event.target.checked))}
        />
        {name}
      </label>
    );
  }
  return (
    <label>
      {name}
      {field.required ? ' (required)' : ''}
      <input
        type={field.type === 'number' ? 'number' : 'text'}
        required={field.required}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

function formOf(
  fields: readonly (readonly [string, FormField])[],
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, string | number | boolean>> {
  const filled: Record<string, string | number | boolean> = {};
  for (const [name, { type }] of fields) {
    const value = values[name] ?? '';
    if (type === 'boolean') filled[name] = value === 'true';
    else if (value !== '') filled[name] = type === 'number' ? Number(value) : value;
  }
  return filled;
}

/** In words why this person cannot decide, as far as a page can know; the server has the last word. */
function whyNot(
  { requires, decisions, escalation }: ApprovalView,
  me: PersonView,
  run: RunView,
): string | null {
  if (decisions.some(({ approver }) => approver === me.id))
    return 'you have decided already; others are still to.';
  if (requires.excludeRequester && run.requestedBy.id === me.id) {
    return 'you asked for this run, and the rule wants somebody else.';
  }
  const asWell = escalation !== null && escalation.done ? escalation : { people: [], roles: [] };
  const people = [...requires.people, ...asWell.people];
  const roles = [...requires.roles, ...asWell.roles];
  if (people.length === 0 && roles.length === 0) return null;
  if (people.includes(me.id) || roles.some((role) => me.roles.includes(role))) return null;
  return `it needs ${[...people, ...roles.map((role) => `somebody with the role ${role}`)].join(' or ')}; you are ${me.id} (${me.roles.join(', ')}).`;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && value !== null) {
    if ('script' in value && typeof value.script === 'string') return value.script;
    if ('argv' in value && Array.isArray(value.argv))
      return value.argv.map((part) => quoted(String(part))).join(' ');
  }
  return JSON.stringify(value, null, 2);
}

function quoted(part: string): string {
  return /^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`;
}

function Pair({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
