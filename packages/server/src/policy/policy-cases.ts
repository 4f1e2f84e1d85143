/** Cases that a policy is held to: a YAML table beside it, `.ccdash/policy/cases.yaml`, and what came of each. */
import { err, ok, POLICY_ACTIONS } from '@ccdash/core';
import type {
  ApprovalRequirement,
  CommandFacts,
  Policy,
  PolicyFacts,
  PolicyVerdict,
  Program,
  Result,
  Verdict,
} from '@ccdash/core';
import { isAlias, isMap, isNode, isPair, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document } from 'yaml';
import { z } from 'zod';

import type { PolicyFile, PolicyProblem } from './policy-problem.ts';

/** What a case says; what it leaves out is harmless: a command in the sandbox that may write and has no network. */
const CASE = z.strictObject({
  name: z.string().min(1).max(200).optional(),
  action: z.enum(POLICY_ACTIONS).optional(),
  /** As a step's `run` or `argv`. */
  command: z.string().min(1).optional(),
  argv: z.array(z.string()).min(1).optional(),
  kind: z.enum(['command', 'agent', 'validation', 'approval']).optional(),
  tools: z.array(z.string().min(1)).optional(),
  runTools: z.array(z.string().min(1)).optional(),
  write: z.array(z.string().min(1)).optional(),
  hosts: z.array(z.string().min(1)).optional(),
  secrets: z.boolean().optional(),
  sandboxed: z.boolean().optional(),
  risk: z.enum(['low', 'medium', 'high', 'critical']).optional(),
  by: z.enum(['person', 'agent']).optional(),
  roles: z.array(z.enum(['viewer', 'operator', 'approver', 'admin'])).optional(),
  own: z.boolean().optional(),
  weakens: z.boolean().optional(),
  absolute: z.boolean().optional(),
  expect: z.enum(['allow', 'requires_approval', 'deny']),
  /** Rules that must be among those that decide. */
  rules: z.array(z.string().min(1)).optional(),
  count: z.number().int().min(1).max(9).optional(),
  approvers: z.array(z.enum(['viewer', 'operator', 'approver', 'admin'])).optional(),
  assurance: z.enum(['session', 'reauth', 'passkey']).optional(),
  excludeRequester: z.boolean().optional(),
});
const FILE = z.strictObject({ cases: z.array(CASE).min(1).max(2_000) });

type CaseFields = z.infer<typeof CASE>;

export interface PolicyCase {
  readonly name: string;
  /** 1-based, in the file. */
  readonly line: number;
  readonly facts: PolicyFacts;
  readonly expected: Expected;
}

/** What is not stated is not looked at. */
export interface Expected {
  readonly expect: Verdict;
  readonly rules?: readonly string[] | undefined;
  readonly count?: number | undefined;
  readonly approvers?: readonly string[] | undefined;
  readonly assurance?: ApprovalRequirement['assurance'] | undefined;
  readonly excludeRequester?: boolean | undefined;
}

export interface PolicyCaseResult {
  readonly name: string;
  readonly line: number;
  readonly pass: boolean;
  /** What is not as the case says; empty when it passes. */
  readonly differences: readonly string[];
  readonly verdict: PolicyVerdict;
}

export type Classify = (program: Program, variables: readonly string[]) => CommandFacts;

/** The cases of a file. Errors: every mistake with its line and column. */
export function readPolicyCases(
  { file, text }: PolicyFile,
  classify: Classify,
): Result<readonly PolicyCase[], readonly PolicyProblem[]> {
  const lines = new LineCounter();
  const problem = (offset: number, detail: string): PolicyProblem => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col, detail, hint: null };
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
  });
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) return err(syntax.map(({ pos, message }) => problem(pos[0], message)));
  const alias = aliasOffset(document);
  if (alias !== null) return err([problem(alias, 'an alias; write the value itself')]);
  const parsed = FILE.safeParse(document.toJS());
  if (!parsed.success) {
    return err(
      parsed.error.issues.slice(0, 20).map((issue) => {
        const path = issue.path.filter((part) => typeof part !== 'symbol');
        const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
        const detail =
          keys.length === 0
            ? `${path.join('.')}: ${issue.message}`
            : `${keys.join(', ')} is not a field of a case; known: ${Object.keys(CASE.shape).join(', ')}`;
        return problem(offsetOf(document, [...path, ...keys.slice(0, 1)]), detail);
      }),
    );
  }
  const cases: PolicyCase[] = [];
  const problems: PolicyProblem[] = [];
  parsed.data.cases.forEach((fields, index) => {
    const offset = offsetOf(document, ['cases', index]);
    const clash = clashOf(fields);
    if (clash !== null) problems.push(problem(offset, clash));
    const { line } = lines.linePos(offset);
    const name =
      fields.name ?? fields.command ?? fields.argv?.join(' ') ?? `case ${String(index + 1)}`;
    cases.push({ name, line, facts: factsOf(fields, classify), expected: fields });
  });
  return problems.length === 0 ? ok(cases) : err(problems);
}

/** What `policy` says to each case, against what the case expects. */
export function runPolicyCases(
  policy: Policy,
  cases: readonly PolicyCase[],
): readonly PolicyCaseResult[] {
  return cases.map(({ name, line, facts, expected }) => {
    const verdict = policy.evaluate(facts);
    const differences = differencesOf(verdict, expected);
    return { name, line, pass: differences.length === 0, differences, verdict };
  });
}

type Told = string | number | boolean;

function differencesOf(verdict: PolicyVerdict, expected: Expected): readonly string[] {
  const { requires } = verdict;
  const decided = verdict.why.map(({ rule }) => rule);
  const found: string[] = [];
  const differ = (what: string, is: Told, should: Told | undefined): void => {
    if (should !== undefined && String(is) !== String(should)) {
      found.push(`${what} is ${String(is)}, not ${String(should)}`);
    }
  };
  differ('the verdict', verdict.verdict, expected.expect);
  const missing = (expected.rules ?? []).filter((rule) => !decided.includes(rule));
  if (missing.length > 0)
    found.push(`decided by ${decided.join(', ')}, not by ${missing.join(', ')}`);
  differ('the number of approvals', requires.count, expected.count);
  differ('the role', requires.roles.toSorted().join(), expected.approvers?.toSorted().join());
  differ('the assurance', requires.assurance, expected.assurance);
  differ('excludeRequester', requires.excludeRequester, expected.excludeRequester);
  return found;
}

function clashOf(fields: CaseFields): string | null {
  const { action = 'start', command, argv, kind } = fields;
  const isWork = action === 'start' || action === 'tool';
  if (command !== undefined && argv !== undefined)
    return 'a case has a command or an argv, not both';
  if (!isWork && (command !== undefined || argv !== undefined)) return `${action} has no command`;
  if (kind !== undefined && kind !== 'command' && action === 'start' && command !== undefined) {
    return `a step of the kind ${kind} has no command`;
  }
  const needsCommand = action === 'start' && (kind ?? 'command') === 'command';
  if (needsCommand && command === undefined && argv === undefined) return 'a command is missing';
  return null;
}

function factsOf(fields: CaseFields, classify: Classify): PolicyFacts {
  const { action = 'start', command, argv, hosts = [], write = ['**'] } = fields;
  const [first, ...rest] = argv ?? [];
  const program: Program | null =
    command !== undefined
      ? { script: command }
      : first === undefined
        ? null
        : { argv: [first, ...rest] };
  const kind = fields.kind ?? (action === 'tool' ? 'agent' : 'command');
  const tools = fields.tools ?? ['exec'];
  return {
    action,
    stepKind: kind,
    tools,
    runTools: fields.runTools ?? tools,
    writes: write.length > 0,
    network: hosts.length > 0,
    secrets: fields.secrets ?? false,
    sandboxed: fields.sandboxed ?? true,
    effects: program === null ? [] : classify(program, []).effects,
    risk: fields.risk ?? 'low',
    requester: 'requester',
    actor: {
      kind: fields.by ?? 'person',
      id: action === 'start' || action === 'tool' || fields.own === true ? 'requester' : 'somebody',
      roles: fields.roles ?? ['operator'],
    },
    weakens: fields.weakens ?? false,
    absolute: fields.absolute ?? false,
    scope: { tools, write, network: hosts.length > 0 ? { hosts } : 'none' },
  };
}

function aliasOffset(document: Document): number | null {
  let found: number | null = null;
  visit(document, {
    Node: (_key, node) => {
      if (!isAlias(node)) return undefined;
      found = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

/** Where the value at `path` begins, or as much of the path as there is. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let offset = 0;
  let node: unknown = document.contents;
  if (isNode(node)) offset = node.range?.[0] ?? 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && String(item.key) === String(part));
      const key = pair?.key;
      if (isNode(key)) offset = key.range?.[0] ?? offset;
      node = pair?.value;
    } else if (isSeq(node)) node = node.items[Number(part)];
    else break;
    if (isNode(node) && !isMap(node) && !isSeq(node)) continue;
    if (isNode(node) && typeof part === 'number') offset = node.range?.[0] ?? offset;
  }
  return offset;
}
