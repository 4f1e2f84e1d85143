/**
 * The part of CEL that conditions may use: no regular expressions, no comprehension inside another one, and small
 * enough that evaluating one is never worth a thought.
 */
import { Environment, ParseError } from '@marcbachmann/cel-js';
import type { ASTNode } from '@marcbachmann/cel-js';
import { listed, quoted } from './problem.ts';

const LIMITS = {
  maxAstNodes: 300,
  maxDepth: 24,
  maxListElements: 64,
  maxMapEntries: 64,
  maxCallArguments: 8,
};
const COMPREHENSIONS: readonly string[] = ['all', 'exists', 'exists_one', 'filter', 'map'];
const FUNCTIONS: readonly string[] = [
  ...['has', 'size', 'contains', 'startsWith', 'endsWith', 'bool', 'double', 'int', 'string'],
  ...COMPREHENSIONS,
];

/** What a condition reads. `start` is an offset in the condition. */
export type ConditionReference =
  | { readonly kind: 'input'; readonly name: string; readonly start: number }
  | {
      readonly kind: 'step';
      readonly step: string;
      /** `status`, `outputs`, or what else was written. */
      readonly field: string;
      /** Of `outputs`; null for all of them, as in `'x' in steps.a.outputs`. */
      readonly key: string | null;
      readonly start: number;
    };

export interface ConditionFault {
  readonly detail: string;
  readonly start: number;
}

export type ConditionReading =
  | {
      readonly ok: true;
      readonly references: readonly ConditionReference[];
      /** Evaluates it; throws an Error of the CEL library where the facts do not fit. */
      readonly evaluate: (facts: { readonly inputs: object; readonly steps: object }) => unknown;
    }
  | { readonly ok: false; readonly fault: ConditionFault };

/** Reads a condition without evaluating it. Never throws. */
export function readCondition(expression: string): ConditionReading {
  try {
    const parsed = createEnvironment().parse(expression);
    const walk: Walk = { references: [], bound: [], fault: undefined };
    visit(parsed.ast, walk);
    if (walk.fault !== undefined) return { ok: false, fault: walk.fault };
    const check = parsed.check();
    if (!check.valid) return { ok: false, fault: celFault(check.error) };
    if (check.type !== 'bool' && check.type !== 'dyn') {
      const detail = `it gives a value of type ${check.type ?? 'unknown'}, not true or false`;
      return { ok: false, fault: { detail, start: 0 } };
    }
    return {
      ok: true,
      references: walk.references,
      evaluate: (facts): unknown => parsed({ ...facts }),
    };
  } catch (error) {
    if (error instanceof ParseError) return { ok: false, fault: celFault(error) };
    throw error;
  }
}

function createEnvironment(): Environment {
  return new Environment({ unlistedVariablesAreDyn: false, limits: LIMITS })
    .registerVariable('inputs', 'map')
    .registerVariable('steps', 'map');
}

function celFault(
  error: { readonly summary: string; readonly range?: { readonly start: number } } | undefined,
): ConditionFault {
  const summary = error?.summary ?? 'it cannot be read';
  // The library's `has` takes names with dots only.
  const detail = summary.startsWith('has() invalid')
    ? "`has` cannot look behind brackets: write `'<key>' in steps['<id>'].outputs`"
    : summary;
  return { detail, start: error?.range?.start ?? 0 };
}

interface Walk {
  readonly references: ConditionReference[];
  /** Variables of the comprehensions around the current place. */
  readonly bound: string[];
  fault: ConditionFault | undefined;
}

function visit(node: ASTNode, walk: Walk): void {
  if (walk.fault !== undefined) return;
  const fail = (detail: string): void => {
    walk.fault = { detail, start: node.start };
  };
  const chain = chainOf(node);
  if (chain !== undefined) {
    const fault = addReference(chain, node, walk);
    if (fault !== undefined) fail(fault);
    return;
  }
  if (node.op === 'value') return;
  if (node.op === 'id') {
    if (!walk.bound.includes(node.args)) fail(unknownName(node.args));
    return;
  }
  if (node.op !== 'call' && node.op !== 'rcall') {
    for (const operand of operandsOf(node.args)) visit(operand, walk);
    return;
  }
  const name = node.args[0];
  if (!FUNCTIONS.includes(name)) {
    fail(`the function ${quoted(name)} is not available: there are ${listed(FUNCTIONS)}`);
    return;
  }
  const operands = node.op === 'call' ? node.args[1] : node.args[2];
  if (node.op === 'rcall') visit(node.args[1], walk);
  if (node.op === 'rcall' && COMPREHENSIONS.includes(name)) {
    visitComprehension(operands, walk, fail);
  } else {
    for (const operand of operands) visit(operand, walk);
  }
}

function unknownName(name: string): string {
  if (name === 'inputs') return '`inputs` is used whole: name one, such as `inputs.branch`';
  if (name === 'steps') {
    return "`steps` is used whole: name one by its id, such as `steps['unit'].status`";
  }
  return `${quoted(name)} is unknown: a condition reads \`inputs.<name>\`, \`steps['<id>'].status\` and \`steps['<id>'].outputs.<key>\``;
}

function visitComprehension(
  operands: readonly ASTNode[],
  walk: Walk,
  fail: (detail: string) => void,
): void {
  const [variable, ...rest] = operands;
  if (walk.bound.length > 0) {
    fail('one comprehension stands inside another one, which could take very long');
    return;
  }
  if (variable?.op === 'id') walk.bound.push(variable.args);
  for (const operand of rest) visit(operand, walk);
  walk.bound.pop();
}

/** Nodes among the operands of an operator, also inside lists and pairs of a map. */
function operandsOf(args: unknown): readonly ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(operandsOf);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}

interface Chain {
  readonly root: 'inputs' | 'steps';
  readonly names: readonly string[];
}

/** `inputs.a`, `steps.a.outputs.b`, also with `['a']`; undefined for what is not built from these two. */
function chainOf(node: ASTNode): Chain | undefined {
  const names: string[] = [];
  let current = node;
  for (;;) {
    if (current.op === '.') {
      names.unshift(current.args[1]);
      current = current.args[0];
    } else if (current.op === '[]') {
      const index = current.args[1];
      // A computed name cannot be checked before the run: the walk then meets `inputs` or `steps` alone.
      if (index.op !== 'value' || typeof index.args !== 'string') return undefined;
      names.unshift(index.args);
      current = current.args[0];
    } else {
      break;
    }
  }
  if (current.op !== 'id' || names.length === 0) return undefined;
  return current.args === 'inputs' || current.args === 'steps'
    ? { root: current.args, names }
    : undefined;
}

/** Takes note of what `chain` reads, or says what is wrong with it. */
function addReference(chain: Chain, node: ASTNode, walk: Walk): string | undefined {
  const [first = '', field, key] = chain.names;
  const start = node.start;
  if (chain.root === 'inputs') {
    walk.references.push({ kind: 'input', name: first, start });
    return undefined;
  }
  if (field === undefined) {
    return `it does not say what of the step it reads: write \`steps['${first}'].status\` or \`steps['${first}'].outputs.<key>\``;
  }
  walk.references.push({ kind: 'step', step: first, field, key: key ?? null, start });
  return undefined;
}
