/** Rules out of Cedar text: parsed, checked against the schema, and held to the conventions of default.cedar. */
import {
  checkParseSchema,
  policySetTextToParts,
  policyToJson,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { assertInvariant, err, ok } from '@ccdash/core';
import type { ApprovalRequirement, Result } from '@ccdash/core';

import { blankComments, callCedar, findOverload } from './cedar-guard.ts';
import { problemAt } from './policy-problem.ts';
import type { PolicyFile, PolicyProblem } from './policy-problem.ts';

export interface PolicyRule {
  /** Its @id: `[a-z][a-z0-9-]*`, unique in the policy. */
  readonly id: string;
  /** Its @doc, for people. */
  readonly doc: string;
  readonly effect: 'permits' | 'asks' | 'denies';
  /** It denies, and no override lifts it. */
  readonly isAbsolute: boolean;
  /** What it asks for; null for rules that permit or deny. */
  readonly asks: ApprovalRequirement | null;
  /** Its Cedar source. */
  readonly source: string;
}

/** Weakest first. */
export const ASSURANCES: readonly ApprovalRequirement['assurance'][] = [
  'session',
  'reauth',
  'passkey',
];

/** Ids that a verdict gives to what no rule decided. */
const RESERVED_PREFIX = 'policy-';

const ROLES = ['viewer', 'operator', 'approver', 'admin'];
const ANNOTATIONS = ['id', 'doc'];
const DENYING_ANNOTATIONS = ['absolute'];
const ASKING_ANNOTATIONS = ['approvals', 'roles', 'assurance', 'excludeRequester'];
const MOST_APPROVALS = 9;

/** Actions that rules may name, each with its twin for what people have approved. */
const TWIN_BY_ACTION = {
  start: 'startApproved',
  tool: 'toolApproved',
  apply: 'applyApproved',
  skip: 'skipApproved',
  replan: 'replanApproved',
  override: 'overrideApproved',
} as const;

/** Names of several actions, as the schema groups them. */
const ACTIONS_BY_GROUP: Readonly<Record<string, readonly string[]>> = {
  attempt: ['start', 'startApproved', 'tool', 'toolApproved'],
  control: [
    ...['apply', 'applyApproved', 'skip', 'skipApproved', 'replan', 'replanApproved'],
    ...['override', 'overrideApproved', 'approve'],
  ],
};

/** The rules of all files, in order. Errors: every mistake found, or those of syntax alone when there are any. */
export function readRules(
  schema: string,
  files: readonly PolicyFile[],
): Result<readonly PolicyRule[], readonly PolicyProblem[]> {
  const parsed = callCedar(() => checkParseSchema(schema));
  assertInvariant(
    !parsed.ok || parsed.value.type === 'success',
    'the policy schema of this program does not parse',
  );
  const rules: PolicyRule[] = [];
  const problems: PolicyProblem[] = [];
  const placeById = new Map<string, string>();
  for (const file of files) {
    const located = locateRules(file);
    if (!located.ok) {
      problems.push(...located.error);
      continue;
    }
    problems.push(...schemaProblems(schema, file));
    for (const { source, offset } of located.value) {
      const read = readRule(source);
      if (!read.ok) {
        problems.push(
          ...read.error.map(({ detail, hint }) => problemAt(file, offset, detail, hint)),
        );
        continue;
      }
      const rule = read.value;
      const elsewhere = placeById.get(rule.id);
      if (elsewhere !== undefined) {
        const detail = `the id ${rule.id} is taken by a rule in ${elsewhere}`;
        problems.push(problemAt(file, offset, detail, 'Give it another @id.'));
      }
      placeById.set(rule.id, file.file);
      rules.push(rule);
    }
  }
  return problems.length === 0 ? ok(rules) : err(problems);
}

interface LocatedRule {
  readonly source: string;
  /** In bytes of UTF-8. */
  readonly offset: number;
}

/** The source of each rule and where it begins, in the order of the file. */
function locateRules(file: PolicyFile): Result<readonly LocatedRule[], readonly PolicyProblem[]> {
  const overload = findOverload(file.text);
  if (overload !== null) {
    return err([
      problemAt(file, bytesBefore(file, overload.index), overload.detail, overload.hint),
    ]);
  }
  const answer = callCedar(() => policySetTextToParts(file.text));
  if (!answer.ok) return err([problemAt(file, 0, answer.error, null)]);
  const parts = answer.value;
  if (parts.type === 'failure') return err(parts.errors.map((error) => cedarProblem(file, error)));
  if (parts.policy_templates.length > 0) {
    const slot = /\?(principal|resource)/.exec(blankComments(file.text))?.index ?? 0;
    const hint = 'Write a rule without ?principal and ?resource.';
    return err([problemAt(file, bytesBefore(file, slot), 'templates are not used here', hint)]);
  }
  const text = blankComments(file.text);
  let end = 0;
  return ok(
    inFileOrder(parts.policies).map((source) => {
      const start = text.indexOf(blankComments(source), end);
      assertInvariant(start >= end, `a rule of ${file.file} is not in its text`);
      end = start + source.length;
      return { source, offset: bytesBefore(file, start) };
    }),
  );
}

/** Cedar numbers rules policy0, policy1, … and gives them sorted by that name: policy10 before policy2. */
function inFileOrder(sources: readonly string[]): readonly string[] {
  const numbers = sources.map((_, index) => index);
  numbers.sort((a, b) => (`policy${a}` < `policy${b}` ? -1 : 1));
  const ordered = [...sources];
  numbers.forEach((number, index) => {
    ordered[number] = sources[index] ?? '';
  });
  return ordered;
}

function bytesBefore({ text }: PolicyFile, index: number): number {
  return Buffer.byteLength(text.slice(0, index), 'utf8');
}

function schemaProblems(schema: string, file: PolicyFile): readonly PolicyProblem[] {
  const checked = callCedar(() => validate({ schema, policies: { staticPolicies: file.text } }));
  if (!checked.ok) return [problemAt(file, 0, checked.error, null)];
  const answer = checked.value;
  if (answer.type === 'failure') return answer.errors.map((error) => cedarProblem(file, error));
  // A warning is a mistake too: a rule that can never apply protects nothing.
  const found = [...answer.validationErrors, ...answer.validationWarnings].map(
    ({ error }) => error,
  );
  return [...found, ...answer.otherWarnings].map((error) => cedarProblem(file, error));
}

function cedarProblem(
  file: PolicyFile,
  { message, help, sourceLocations }: DetailedError,
): PolicyProblem {
  const [location] = sourceLocations ?? [];
  const detail = message.replace(/^for policy `policy\d+`, /, '');
  return problemAt(file, location?.start ?? 0, detail, help ?? location?.label ?? null);
}

interface Mistake {
  readonly detail: string;
  readonly hint: string;
}

type Complain = (detail: string, hint: string) => void;

function readRule(source: string): Result<PolicyRule, readonly Mistake[]> {
  const parsed = callCedar(() => policyToJson(source));
  if (!parsed.ok) return err([{ detail: parsed.error, hint: 'Make the rule simpler.' }]);
  const answer = parsed.value;
  assertInvariant(answer.type === 'success', 'a rule that was parsed does not parse alone');
  const mistakes: Mistake[] = [];
  const complain: Complain = (detail, hint) => mistakes.push({ detail, hint });
  const annotations = new Map(Object.entries(answer.json.annotations ?? {}));
  const asking = isAsking(answer.json, complain);
  const denying = !asking && answer.json.effect === 'forbid';
  const own = asking ? ASKING_ANNOTATIONS : denying ? DENYING_ANNOTATIONS : [];
  const known = [...ANNOTATIONS, ...own];
  for (const name of annotations.keys()) {
    if (known.includes(name)) continue;
    const what = `a rule that ${asking ? 'asks for approval' : denying ? 'denies' : 'permits'}`;
    complain(`@${name} has no meaning on ${what}`, `Known there: ${asList(known)}.`);
  }
  const id = annotations.get('id') ?? '';
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(id) || id.startsWith(RESERVED_PREFIX)) {
    const hint = `Put @id("…") before it: small letters, digits and hyphens, not beginning with ${RESERVED_PREFIX}.`;
    complain('the rule has no usable @id', hint);
  }
  const doc = annotations.get('doc') ?? '';
  if (!/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u.test(doc) || doc.trim() === '') {
    complain(
      'the rule has no usable @doc',
      'Put @doc("…") before it: one line that tells people why it decides.',
    );
  }
  const absolute = annotations.has('absolute') ? annotations.get('absolute') : 'false';
  if (absolute !== 'true' && absolute !== 'false') {
    complain('@absolute is neither "true" nor "false"', 'Write @absolute("true").');
  }
  const asks = asking ? readRequirement(annotations, complain) : null;
  const isAbsolute = absolute === 'true';
  const effect = asking ? 'asks' : denying ? 'denies' : 'permits';
  return mistakes.length === 0 ? ok({ id, doc, effect, isAbsolute, asks, source }) : err(mistakes);
}

/** Whether the rule forbids an action and leaves open the twin that people may approve. */
function isAsking({ effect, action }: PolicyJson, complain: Complain): boolean {
  if (action.op === 'All') return false;
  const entities =
    'entities' in action ? action.entities : 'entity' in action ? [action.entity] : [];
  const covered = entities.flatMap((entity) => {
    const { id } = '__entity' in entity ? entity.__entity : entity;
    return ACTIONS_BY_GROUP[id] ?? [id];
  });
  let asking = false;
  for (const [name, twin] of Object.entries(TWIN_BY_ACTION)) {
    if (covered.includes(twin) === covered.includes(name)) continue;
    if (effect === 'permit') {
      complain(`the rule permits only one of ${name} and ${twin}`, 'Name both of them.');
    } else if (covered.includes(twin)) {
      const hint = `Name both to deny, or ${name} alone to ask for approval.`;
      complain(`the rule forbids ${twin} without ${name}`, hint);
    } else {
      asking = true;
    }
  }
  return asking;
}

function readRequirement(
  annotations: ReadonlyMap<string, string | null>,
  complain: Complain,
): ApprovalRequirement {
  const count = annotations.get('approvals') ?? '';
  if (!/^[1-9]$/.test(count)) {
    const hint = `Put @approvals("1") before it: how many people must approve, 1 to ${MOST_APPROVALS}.`;
    complain('the rule asks for approval and has no usable @approvals', hint);
  }
  const roles = (annotations.get('roles') ?? '').split(',').map((role) => role.trim());
  if (!roles.every((role) => ROLES.includes(role))) {
    const hint = `Put @roles("approver") before it: one or more of ${ROLES.join(', ')}, parted by commas.`;
    complain('the rule asks for approval and has no usable @roles', hint);
  }
  const stated = annotations.get('assurance') ?? 'session';
  const assurance = ASSURANCES.find((each) => each === stated);
  if (
    assurance === undefined ||
    (annotations.has('assurance') && annotations.get('assurance') === null)
  ) {
    complain(`@assurance("${stated}") is not known`, `Write one of ${ASSURANCES.join(', ')}.`);
  }
  const exclude = annotations.has('excludeRequester')
    ? annotations.get('excludeRequester')
    : 'false';
  if (exclude !== 'true' && exclude !== 'false') {
    complain('@excludeRequester is neither "true" nor "false"', 'Write @excludeRequester("true").');
  }
  return {
    roles: [...new Set(roles)].sort(),
    people: [],
    count: Number(count),
    excludeRequester: exclude === 'true',
    assurance: assurance ?? 'passkey',
  };
}

function asList(annotations: readonly string[]): string {
  return annotations.map((name) => `@${name}`).join(', ');
}
