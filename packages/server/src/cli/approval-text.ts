/** What people are asked, drawn from the very fields that the digest is over. */
import type { ApprovalView, JsonObject, RunView } from '@ccdash/api/client';
import type { Context, Span } from './context.ts';
import type { Line } from './event-lines.ts';
import { markOf } from './marks.ts';
import { toPlainJson, toPlainLine, toPlainText } from './plain-text.ts';

const KIND_WORDS: Readonly<Record<ApprovalView['kind'], string>> = {
  start: 'may this step start?',
  gate: 'a decision of the plan',
  tool: 'may the agent use this tool?',
  override: 'may this step start although the policy says otherwise?',
  skip: 'may the run go on without this step?',
  replan: 'may the run follow another plan?',
};
const TAIL_LINES = 20;

/** Everything that is asked: nothing is left out or cut off. `run` adds what the request refers to. */
export function approvalToLines(
  context: Context,
  approval: ApprovalView,
  run: RunView | null,
): readonly Line[] {
  const { id, runId, stepId, kind, subject, why, requires, risk, subjectDigest } = approval;
  const { status, detail, decisions, expiresAtMs, escalation } = approval;
  return [
    [
      markOf(context, status === 'open' ? 'wait' : 'still'),
      ' ',
      { text: id, style: 'bold' },
      `  ${KIND_WORDS[kind]}  `,
      quiet(`${status}, run ${runId}, step ${stepId}, risk ${risk}`),
    ],
    ...(detail === null ? [] : [[quiet(`  ${detail}`)]]),
    ...why.map(({ rule, text }): Line => [`  because   ${text} `, quiet(`(${rule})`)]),
    [`  needs     ${requirementToText(requires)}`],
    ...(escalation === null ? [] : [[`  asks too  ${escalationToText(escalation)}`]]),
    ...(expiresAtMs === null ? [] : [[`  until     ${new Date(expiresAtMs).toISOString()}`]]),
    ...subjectToLines(subject, run),
    ...decisions.map((one): Line => [
      `  ${one.decision === 'approve' ? 'approved' : 'rejected'} by ${one.approver}`,
      quiet(one.reason === '' ? '' : `: ${toPlainLine(one.reason)}`),
    ]),
    ...(status === 'open' ? [[quiet(`  changes   ccdash approvals diff ${id}`)]] : []),
    [quiet(`  digest    ${subjectDigest}`)],
  ];
}

export function requirementToText(requires: ApprovalView['requires']): string {
  const { roles, people, count, excludeRequester, assurance, inOrder = false } = requires;
  const who = [...people, ...roles.map((role) => `role ${role}`)].join(' or ');
  return [
    count === 1 ? '1 person' : `${count} people`,
    who === '' ? 'anybody who may log in' : who,
    inOrder ? 'in this order' : '',
    excludeRequester ? 'not who asked for the run' : '',
    assurance === 'session' ? '' : `authenticated by ${assurance}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function escalationToText({
  people,
  roles,
  atMs,
  done,
}: NonNullable<ApprovalView['escalation']>): string {
  const who = [...people, ...roles.map((role) => `role ${role}`)].join(' or ');
  return `${who}, ${done ? 'since' : 'from'} ${new Date(atMs).toISOString()}`;
}

/** Known well enough from elsewhere on the page, or named by the digest. */
const TOLD: readonly string[] = ['v', 'kind', 'run', 'step'];

function subjectToLines(subject: JsonObject, run: RunView | null): readonly Line[] {
  return Object.entries(subject)
    .filter(([name, value]) => !TOLD.includes(name) && value !== null)
    .flatMap(([name, value]) => {
      if (name === 'show') return shownToLines(value, run);
      return fieldToLines(name, textOf(value));
    });
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const program = programToText(value);
  return program ?? JSON.stringify(value);
}

/** The program of a command step as one would type it; null for anything else. */
export function programToText(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  if ('script' in value && typeof value.script === 'string') return value.script;
  if (!('argv' in value) || !Array.isArray(value.argv)) return null;
  return value.argv
    .map(String)
    .map((part) => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`))
    .join(' ');
}

/** Text with characters that a terminal would not show is drawn as a JSON string, so that none of it is hidden. */
function fieldToLines(name: string, text: string): readonly Line[] {
  const shown = toPlainText(text) === text ? text : toPlainJson(text);
  const [first = '', ...rest] = shown.split('\n');
  const label = `  ${name.padEnd(9)} `;
  if (rest.length === 0) return [[quiet(label), first]];
  return [[quiet(label)], ...[first, ...rest].map((line): Line => ['    ', line])];
}

/** What the approver is to look at, as far as the run's own record holds it. */
function shownToLines(shown: unknown, run: RunView | null): readonly Line[] {
  const references = typeof shown === 'object' && shown !== null ? Object.keys(shown) : [];
  return references.flatMap((reference): readonly Line[] => {
    const [stepId = '', key = ''] = reference.split('.');
    const step = run?.steps.find(({ id }) => id === stepId);
    const output = step?.attempts.at(-1)?.output ?? null;
    if (key === 'output' && output !== null) {
      const { bytes, tail } = output;
      const last = tail.slice(-TAIL_LINES);
      const title = `  ${reference}, ${bytes} bytes, its last ${last.length} lines:`;
      return [
        [quiet(title)],
        ...last.map((line): Line => ['    ', toPlainText(line)]),
        [quiet(`    all of it: ccdash logs ${run?.id ?? 'RUN'} ${stepId}`)],
      ];
    }
    const value = step?.outputs?.[key];
    if (value !== undefined) return fieldToLines(reference, textOf(value));
    const commit = run?.checkpoint?.commit.slice(0, 12) ?? 'none yet';
    return [[quiet(`  review    ${reference} (workspace commit ${commit})`)]];
  });
}

function quiet(text: string): Span {
  return { text, style: 'quiet' };
}
