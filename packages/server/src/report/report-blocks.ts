/** A report in the order in which people read it: how it ended, who decided, what was done, what proves it. */
import type {
  ApprovalView,
  AttemptView,
  Json,
  Plan,
  RunView,
  Step,
  StepView,
  UsageTotal,
} from '@ccdash/core';
import type { AgentWork } from './agent-work.ts';
import { code, details, heading, table, text } from './blocks.ts';
import type { Block } from './blocks.ts';
import type { RunReport } from './run-report.ts';

/** What the evidence of a report is about. */
export interface Proven {
  readonly publicKey: string;
  readonly head: string;
  /** Entries of the run. */
  readonly entries: number;
}

export function reportBlocks(report: RunReport, proven: Proven): readonly Block[] {
  const { run } = report;
  return [
    heading(1, `${run.plan.name}: ${run.status}`),
    ...summary(report),
    heading(2, 'Plan'),
    ...report.revisions.flatMap(planBlocks),
    heading(2, 'Steps'),
    ...run.steps.flatMap((step) => stepBlocks(step, report.agents)),
    ...(run.removed.length === 0 ? [] : [heading(2, 'Steps of earlier plans')]),
    ...run.removed.flatMap((step) => stepBlocks(step, report.agents)),
    heading(2, 'Decisions'),
    ...report.approvals.flatMap(approvalBlocks),
    ...(report.approvals.length === 0 ? [text('Nobody was asked.')] : []),
    heading(2, 'Overrides'),
    overrides(run),
    heading(2, 'Recoveries'),
    table(
      ['When', 'Who', 'Where', 'What', 'Why'],
      report.recoveries.map(({ at, who, where, what, detail }) => [at, who, where, what, detail]),
      'Nothing was tried again, gone back to or changed.',
    ),
    heading(2, 'Cost'),
    ...cost(run),
    heading(2, 'Artifacts'),
    artifacts(run),
    heading(2, 'Result'),
    ...result(run),
    heading(2, 'Policies'),
    table(
      ['From', 'Digest'],
      report.policies.map(({ at, digest }) => [at, digest]),
      'None is known.',
    ),
    heading(2, 'Timeline'),
    table(
      ['When', '#', 'Who', 'Where', 'What', 'Detail'],
      report.timeline.map(({ at, sequence, who, where, what, detail }) => {
        return [at, String(sequence), who, where, what, detail];
      }),
      'Nothing has happened.',
    ),
    heading(2, 'Proof'),
    ...proof(report, proven),
  ];
}

function summary({ run }: RunReport): readonly Block[] {
  const { plan, feature, requestedBy, createdAt, startedAt, endedAt, baseCommit, inputs } = run;
  const rows: (readonly string[])[] = [
    ['Run', run.id],
    ['Plan', `${plan.name}, revision ${plan.revision}, ${plan.digest}`],
    ['Feature', feature ?? 'none'],
    ['Asked for by', `${requestedBy.kind} ${requestedBy.id}`],
    ['Created, started, ended', [createdAt, startedAt, endedAt].map(timeOf).join(', ')],
    ['From commit', baseCommit],
  ];
  for (const [name, value] of Object.entries(inputs)) rows.push([`Input ${name}`, String(value)]);
  if (run.failure !== null) rows.push(['Failure', run.failure.message]);
  for (const reason of run.blocked) rows.push(['Waits', jsonOf(reason)]);
  for (const left of run.notCarried) rows.push(['Not carried over', left]);
  const isOpen = !['succeeded', 'failed', 'canceled'].includes(run.status);
  const half = text('The run has not ended: this is what there was when the report was made.');
  return [table(['', ''], rows, ''), ...(isOpen ? [half] : [])];
}

function planBlocks({ revision, digest, at, by, plan }: RunReport['revisions'][number]): Block[] {
  return [
    heading(3, `Revision ${revision}`),
    text(`${digest}, in force from ${at}, by ${by}`),
    table(
      ['Step', 'Kind', 'Needs', 'What'],
      plan.steps.map((step) => [step.id, step.kind, step.needs.join(', '), workOf(step)]),
      'It has no steps.',
    ),
    details('The whole plan', [code(prettyOf(plan))]),
  ];
}

function workOf(step: Step): string {
  switch (step.kind) {
    case 'command':
      return 'argv' in step.program ? step.program.argv.join(' ') : step.program.script;
    case 'agent':
      return `${step.adapter}${step.model === null ? '' : ` (${step.model})`}: ${
        'text' in step.prompt ? step.prompt.text : step.prompt.file
      }`;
    case 'validation':
      return step.checks.map((check) => jsonOf(check)).join('\n');
    case 'approval':
      return step.question;
  }
}

function stepBlocks(step: StepView, agents: readonly AgentWork[]): readonly Block[] {
  const { id, kind, status, reason, verdict, why, risk, attempts, messages, outputs } = step;
  const judged = why.map(({ rule, text: said }) => `${said} (${rule})`).join('; ');
  const facts = [
    `${kind}, ${status}${reason === null ? '' : `: ${reason}`}`,
    verdict === null ? '' : `Policy: ${verdict}, risk ${risk ?? 'not known'}. ${judged}`,
    step.subjectDigest === null ? '' : `Subject: ${step.subjectDigest}`,
  ].filter((fact) => fact !== '');
  return [
    heading(3, id),
    ...facts.map(text),
    ...(attempts.length === 0
      ? []
      : [
          table(
            ['Attempt', 'Status', 'Time', 'Exit code', 'With', 'Used', 'Came to'],
            attempts.map(attemptRow),
            '',
          ),
        ]),
    ...attempts.flatMap(({ number, checks }) =>
      checks.length === 0
        ? []
        : [
            text(`Checks of attempt ${number}`),
            table(
              ['Check', 'Holds', 'Evidence'],
              checks.map(({ check, pass, evidence }) => [check, pass ? 'yes' : 'no', evidence]),
              '',
            ),
          ],
    ),
    ...attempts.flatMap(({ number, output }) =>
      output === null || output.tail.length === 0
        ? []
        : [
            details(
              `Output of attempt ${number}: ${output.bytes} bytes, SHA-256 ${output.sha256}; its end`,
              [code(output.tail.join('\n'))],
            ),
          ],
    ),
    ...agents.filter((work) => work.step === id).flatMap(agentBlocks),
    ...(messages.length === 0
      ? []
      : [
          table(
            ['Told', 'By', 'Message', 'How', 'Status'],
            messages.map(({ at, by, text: said, how, status: told }) => {
              return [at, `${by.kind} ${by.id}`, said, how, told];
            }),
            '',
          ),
        ]),
    ...(outputs === null || Object.keys(outputs).length === 0
      ? []
      : [details('Outputs', [code(prettyOf(outputs))])]),
  ];
}

function attemptRow(attempt: AttemptView): readonly string[] {
  const { number, status, startedAt, endedAt, exitCode, versions, model, sandbox } = attempt;
  const { usage, failure, checkpoint, setAside } = attempt;
  const made =
    versions === null
      ? ''
      : `${versions.adapter}, SDK ${versions.sdk ?? 'none'}, program ${versions.program ?? 'none'}`;
  const used =
    usage === null
      ? ''
      : `${known(usage.inputTokens)} in, ${known(usage.outputTokens)} out, $${known(usage.usd)}`;
  const kept = [
    failure?.message ?? '',
    checkpoint === null ? '' : `commit ${checkpoint.commit}`,
    setAside === null ? '' : `set aside as ${setAside.commit}`,
  ];
  return [
    String(number),
    status,
    `${startedAt} – ${timeOf(endedAt)}`,
    exitCode === null ? '' : String(exitCode),
    [made, model ?? '', `sandbox ${sandbox}`].filter((part) => part !== '').join(', '),
    used,
    kept.filter((part) => part !== '').join('; '),
  ];
}

function agentBlocks({ attempt, tools, messages }: AgentWork): readonly Block[] {
  const changes = tools.flatMap((tool) => tool.changes);
  if (tools.length === 0 && messages.length === 0) return [];
  return [
    details(`What the agent did in attempt ${attempt}: ${tools.length} tool calls`, [
      table(
        ['When', 'Tool', 'What', 'Ended', 'Said'],
        tools.map(({ at, tool, title, status, exitCode, summary: said }) => {
          return [at, tool, title, exitCode === null ? status : `${status}, ${exitCode}`, said];
        }),
        'It called no tools.',
      ),
      ...changes.flatMap(({ path, added, removed, diff }) => [
        text(`${path}: +${added} -${removed}`),
        code(diff),
      ]),
      ...messages.map(({ text: said }) => code(said)),
    ]),
  ];
}

function approvalBlocks(approval: ApprovalView): readonly Block[] {
  const { id, stepId, kind, status, why, decisions, subject, subjectDigest, detail } = approval;
  return [
    heading(3, `${stepId}: ${kind}, ${status}`),
    text(`${id}, asked ${approval.requestedAt}, about ${subjectDigest}`),
    ...(detail === null || detail === '' ? [] : [text(detail)]),
    ...why.map(({ rule, text: said }) => text(`${said} (${rule})`)),
    table(
      ['Who', 'Roles', 'When', 'Decision', 'Why', 'Assurance', 'Evidence'],
      decisions.map((one) => {
        const { approver, roles, at, decision, reason, assurance, selfApproved } = one;
        const who = selfApproved ? `${approver}, who asked for the run` : approver;
        const evidence =
          'evidence' in one && one.evidence !== undefined ? jsonOf(one.evidence) : '';
        return [who, roles.join(', '), at, decision, reason, assurance, evidence];
      }),
      'Nobody has decided.',
    ),
    details('What was asked', [code(prettyOf(subject))]),
  ];
}

function overrides({ overrides: all }: RunView): Block {
  return table(
    ['Step', 'By', 'Why', 'Rules', 'Used by attempt', 'Review'],
    all.map(({ step, by, reason, rules, usedBy, review }) => {
      const seen = review === null ? 'nobody has looked at it' : jsonOf(review);
      return [step, by.join(', '), reason, rules.join(', '), String(usedBy ?? 'none'), seen];
    }),
    'There were none.',
  );
}

function cost({ usage, steps }: RunView): readonly Block[] {
  return [
    text(totalOf(usage)),
    table(
      ['Step', 'Attempt', 'Model', 'In', 'Out', 'Cached', 'USD'],
      steps.flatMap(({ id, attempts }) =>
        attempts.flatMap(({ number, model, usage: used }) =>
          used === null
            ? []
            : [
                [
                  ...[id, String(number), model ?? '', known(used.inputTokens)],
                  ...[known(used.outputTokens), known(used.cachedTokens), known(used.usd)],
                ],
              ],
        ),
      ),
      'No agent has told of any.',
    ),
  ];
}

function totalOf({ tokens, usd, unknownCost }: UsageTotal): string {
  const atLeast = unknownCost ? 'At least ' : '';
  return `${atLeast}${tokens} tokens, $${usd.toFixed(4)}.`;
}

function artifacts({ steps, removed }: RunView): Block {
  return table(
    ['Step', 'Name', 'SHA-256', 'Bytes', 'Type'],
    [...steps, ...removed].flatMap(({ id, artifacts: kept }) =>
      kept.map(({ name, sha256, bytes, mediaType }) => {
        return [id, name, sha256, String(bytes), mediaType];
      }),
    ),
    'None were kept.',
  );
}

function result({ checkpoint, applied }: RunView): readonly Block[] {
  const stands =
    checkpoint === null
      ? 'There is no workspace.'
      : `The workspace stands at commit ${checkpoint.commit}, tree ${checkpoint.tree}.`;
  return [
    text(stands),
    table(
      ['When', 'Who', 'As', 'Branch', 'Commit', 'Failure'],
      applied.map(({ at, by, as, branch, commit, failure }) => {
        return [at, `${by.kind} ${by.id}`, as, branch, commit ?? '', failure?.message ?? ''];
      }),
      'It was not brought into the project.',
    ),
  ];
}

function proof({ bypasses }: RunReport, { publicKey, head, entries }: Proven): readonly Block[] {
  return [
    text(
      `This file holds the ${entries} entries of the run as the log has them, the hashes that lead from them to the signed head below, and nothing that does not follow from them. Check it anywhere: ccdash report verify FILE --public-key KEY. A key from the file itself proves only that nothing was changed since it was written: have it from whoever runs the log.`,
    ),
    table(['', ''], [['Public key', publicKey]], ''),
    code(head),
    bypasses.length === 0
      ? text('A replay of the entries found nothing that happened without the decisions it needed.')
      : table(
          ['Without its decision'],
          bypasses.map((bypass) => [bypass]),
          '',
        ),
  ];
}

function timeOf(at: string | null): string {
  return at ?? 'not yet';
}

function known(value: number | null): string {
  return value === null ? 'unknown' : String(value);
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value);
}

function prettyOf(value: Plan | Json): string {
  return JSON.stringify(value, null, 2);
}
