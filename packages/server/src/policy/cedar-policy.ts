/**
 * The policy port over Cedar. Three answers come from two actions: a step may start when both `start` and its twin
 * `startApproved` are permitted, needs people when only the twin is, and is denied otherwise; the same for the other
 * actions, but for `approve`, which has no twin.
 *
 * Invariants
 * 1. Fail closed: facts that are not whole, a rule that fails, and whatever Cedar cannot answer are denied. Cedar
 *    leaves out a rule that fails, so a `forbid` that fails would otherwise vanish.
 * 2. Every verdict names at least one rule, with words for people; rules are sorted (Cedar's order changes by itself).
 * 3. The digest covers everything that decides: the schema and the text of all rules.
 * 4. Whatever the rules say, what publishes and what is applied to the user's repository asks.
 */
import { createHash } from 'node:crypto';

import {
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import { assertInvariant, err, ok } from '@ccdash/core';
import type {
  ApprovalRequirement,
  DecidingRule,
  Policy,
  PolicyFacts,
  PolicyVerdict,
  Result,
  RiskClass,
} from '@ccdash/core';

import { callCedar } from './cedar-guard.ts';
import { attributesOf, problemOfFacts, riskOf } from './policy-facts.ts';
import type { PolicyFile, PolicyProblem } from './policy-problem.ts';
import { ASSURANCES, readRules } from './policy-rules.ts';
import type { PolicyRule } from './policy-rules.ts';

export interface CedarPolicyInput {
  /** Cedar schema, human-readable form. */
  readonly schema: string;
  /** Sorted by name; together they are the policy. */
  readonly policies: readonly PolicyFile[];
}

/**
 * A policy that is ready to be asked.
 * Errors: every mistake with file, line and column; a policy with one is not used at all.
 */
export function createCedarPolicy({
  schema,
  policies,
}: CedarPolicyInput): Result<Policy, readonly PolicyProblem[]> {
  const read = readRules(schema, policies);
  if (!read.ok) return read;
  const digest = policyDigest({ schema, policies });
  const failure = prepare(digest, schema, read.value);
  if (failure !== null) {
    const [first] = policies;
    return err([{ file: first?.file ?? '', line: 1, column: 1, detail: failure, hint: null }]);
  }
  const ruleById = new Map(read.value.map((rule) => [rule.id, rule]));
  const evaluate = (facts: PolicyFacts): PolicyVerdict => {
    const problem = problemOfFacts(facts);
    if (problem !== null) {
      return denied(digest, 'critical', [{ rule: 'policy-facts', text: problem }]);
    }
    return decide(digest, ruleById, facts);
  };
  return ok({ digest, evaluate });
}

/** `sha256:` and the hash of the schema and each text in order, parted by NUL (which no text contains). */
export function policyDigest({ schema, policies }: CedarPolicyInput): string {
  const texts = [schema, ...policies.map(({ text }) => text)].join('\0');
  return `sha256:${createHash('sha256').update(texts).digest('hex')}`;
}

/** What Cedar keeps cannot be taken back, so each policy is given to it once, by its digest. */
const prepared = new Set<string>();

/** null when it worked. */
function prepare(digest: string, schema: string, rules: readonly PolicyRule[]): string | null {
  if (prepared.has(digest)) return null;
  const staticPolicies = Object.fromEntries(rules.map(({ id, source }) => [id, source]));
  for (const call of [
    () => preparseSchema(digest, schema),
    () => preparsePolicySet(digest, { staticPolicies }),
  ]) {
    const answer = callCedar(call);
    if (!answer.ok) return answer.error;
    assertInvariant(answer.value.type === 'success', 'a policy that was checked does not parse');
  }
  prepared.add(digest);
  return null;
}

function decide(
  digest: string,
  ruleById: ReadonlyMap<string, PolicyRule>,
  facts: PolicyFacts,
): PolicyVerdict {
  const risk = riskOf(facts);
  const direct = ask(digest, facts.action, facts);
  const approved =
    facts.action === 'approve' ? direct : ask(digest, `${facts.action}Approved`, facts);
  const failures = [...direct.failures, ...approved.failures];
  if (failures.length > 0) {
    const text = `The policy could not be evaluated: ${[...new Set(failures)].sort().join('; ')}.`;
    return denied(digest, risk, [{ rule: 'policy-error', text }]);
  }
  const deciding = (approved.permitted ? direct : approved).rules;
  const why = deciding.map((rule): DecidingRule => {
    const { doc = rule, isAbsolute = false } = ruleById.get(rule) ?? {};
    return isAbsolute ? { rule, text: doc, absolute: true } : { rule, text: doc };
  });
  if (why.length === 0) {
    return denied(digest, risk, [
      { rule: 'policy-default', text: 'No rule of the policy permits it.' },
    ]);
  }
  if (!approved.permitted) return denied(digest, risk, why);
  if (direct.permitted) return allowed(digest, risk, facts, why);
  const asked = deciding.flatMap((rule) => ruleById.get(rule)?.asks ?? []);
  // A rule that tells start from startApproved in its condition says nothing about who might approve.
  if (asked.length < deciding.length) return denied(digest, risk, why);
  const requires = joinRequirements(asked);
  if (requires.roles.length === 0) {
    const text =
      'Several rules ask for approval, and no role is among those that each of them names.';
    return denied(digest, risk, [{ rule: 'policy-roles', text }, ...why]);
  }
  return { verdict: 'requires_approval', why, requires, policyDigest: digest, risk };
}

/** What asks under every policy. */
const ALWAYS = {
  publishes: { rule: 'policy-publishes', text: 'It publishes, and that always asks.' },
  apply: { rule: 'policy-apply', text: "It changes the user's repository, and that always asks." },
} as const;

function allowed(
  policyDigest: string,
  risk: RiskClass,
  facts: PolicyFacts,
  why: readonly DecidingRule[],
): PolicyVerdict {
  const isWork = facts.action === 'start' || facts.action === 'tool';
  const publishes = isWork && attributesOf(facts).does.publishes;
  const floor = publishes ? ALWAYS.publishes : facts.action === 'apply' ? ALWAYS.apply : null;
  if (floor === null) return { verdict: 'allow', why, requires: NOTHING, policyDigest, risk };
  const requires = { ...NOTHING, roles: ['admin', 'approver'] };
  return { verdict: 'requires_approval', why: [floor], requires, policyDigest, risk };
}

interface Answer {
  readonly permitted: boolean;
  /** Ids of the rules that decided, sorted. */
  readonly rules: readonly string[];
  readonly failures: readonly string[];
}

function ask(digest: string, action: string, facts: PolicyFacts): Answer {
  const { kind, id, roles } = facts.actor;
  const principal = { type: kind === 'agent' ? 'Agent' : 'User', id };
  const parents = kind === 'agent' ? [] : roles.map((role) => ({ type: 'Role', id: role }));
  const resource = { type: 'Step', id: 'step' };
  const called = callCedar(() =>
    statefulIsAuthorized({
      principal,
      action: { type: 'Action', id: action },
      resource,
      context: {},
      preparsedSchemaName: digest,
      preparsedPolicySetId: digest,
      validateRequest: true,
      entities: [
        { uid: principal, attrs: {}, parents },
        { uid: resource, attrs: { ...attributesOf(facts) }, parents: [] },
      ],
    }),
  );
  if (!called.ok) return failed([called.error]);
  const answer = called.value;
  if (answer.type === 'failure') return failed(answer.errors.map(({ message }) => message));
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length > 0) {
    return failed(diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`));
  }
  return { permitted: decision === 'allow', rules: [...diagnostics.reason].sort(), failures: [] };
}

function failed(failures: readonly string[]): Answer {
  return { permitted: false, rules: [], failures };
}

const NOTHING: ApprovalRequirement = {
  roles: [],
  people: [],
  count: 1,
  excludeRequester: false,
  assurance: 'session',
};

function denied(
  policyDigest: string,
  risk: RiskClass,
  rules: readonly DecidingRule[],
): PolicyVerdict {
  const why = [...rules].sort((a, b) => (a.rule < b.rule ? -1 : 1));
  return { verdict: 'deny', why, requires: NOTHING, policyDigest, risk };
}

/** What satisfies each of `asked` (at least one): roles that all of them name, the highest of everything else. */
function joinRequirements(asked: readonly ApprovalRequirement[]): ApprovalRequirement {
  return asked.reduce((joined, next) => ({
    roles: joined.roles.filter((role) => next.roles.includes(role)),
    people: [],
    count: Math.max(joined.count, next.count),
    excludeRequester: joined.excludeRequester || next.excludeRequester,
    assurance:
      ASSURANCES[
        Math.max(ASSURANCES.indexOf(joined.assurance), ASSURANCES.indexOf(next.assurance))
      ] ?? 'passkey',
  }));
}
