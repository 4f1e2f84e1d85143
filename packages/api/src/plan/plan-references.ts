/**
 * What the schema cannot see: whether the names in a plan mean something, in the right order, within the run's scope.
 * Reads what is well formed and passes over the rest, so that every mistake of a file is found at once.
 */
import { SETUP_STEP_ID } from '@ccdash/core';
import { DEFAULT_SCOPE } from './compile-plan.ts';
import { readCondition } from './condition-syntax.ts';
import { globFault, globMatchesPath, isGlobWithin } from './globs.ts';
import { didYouMean } from './nearest-name.ts';
import { durationToMs } from './plan-fields.ts';
import { MAX_STEPS, RESERVED_IDS } from './plan-schema.ts';
import { CONTEXT_FIELDS, placeholderTarget, placeholdersOf } from './placeholders.ts';
import { listed, quoted } from './problem.ts';
import type { Finding, Position, ProblemType } from './problem.ts';
import { listAt, numberAt, recordAt, textAt, textsAt, valueAt } from './raw-values.ts';
import { createStepGraph, findCycles } from './step-graph.ts';
import type { RawStep, StepGraph } from './step-graph.ts';
import type { PlanSource, ValuePath } from './yaml-source.ts';

/** Every mistake in the names of `raw`, in no order. */
export function referenceFindings(raw: unknown, source: PlanSource): readonly Finding[] {
  // The schema has said so already; what is not a plan is not worth minutes.
  if (listAt(raw, 'steps').length > MAX_STEPS) return [];
  const findings: Finding[] = [];
  const add: Add = (type, path, detail, hint, at) => {
    findings.push({ type, detail, hint, at: at ?? source.positionOf(path) });
  };
  const graph = createStepGraph(raw);
  const context: Context = { raw, source, graph, add };
  checkInputs(context);
  if (graph.hasSetup && recordAt(raw, 'setup', 'copy') === undefined) checkSetup(context);
  for (const step of graph.steps) checkStep(step, context);
  for (const cycle of findCycles(graph)) {
    const [first] = cycle;
    if (first === undefined) continue;
    const names = [...cycle, first].map((step) => step.id ?? `step ${step.index + 1}`);
    const path = ['steps', first.index, 'needs'];
    add(
      'Cycle',
      path,
      cycle.length === 1
        ? `Step \`${names[0] ?? ''}\` needs itself.`
        : `These steps wait for each other: ${names.join(' → ')}.`,
      'Remove one of these `needs`.',
    );
  }
  return findings;
}

type Add = (
  type: ProblemType,
  path: ValuePath,
  detail: string,
  hint: Finding['hint'],
  at?: Position,
) => void;

interface Context {
  readonly raw: unknown;
  readonly source: PlanSource;
  readonly graph: StepGraph;
  readonly add: Add;
}

function checkInputs({ raw, add }: Context): void {
  for (const [name, input] of Object.entries(recordAt(raw, 'inputs') ?? {})) {
    const type = textAt(input, 'type');
    const value = valueAt(input, ['default']);
    const scalars: readonly unknown[] = ['string', 'number', 'boolean'];
    // A type that is none is told once, where it stands.
    if (!scalars.includes(type) || !scalars.includes(typeof value) || typeof value === type) {
      continue;
    }
    const detail = `The default of \`${name}\` is ${quoted(value)}, and its type is ${type}.`;
    const hint = `Write a ${type}, or change the type.`;
    add('WrongType', ['inputs', name, 'default'], detail, hint);
  }
}

function checkSetup({ raw, add }: Context): void {
  if (listAt(raw, 'setup', 'run').length > 0 || listAt(raw, 'setup', 'copy').length > 0) return;
  add('MissingField', ['setup'], '`setup` does nothing.', 'Add `run` or `copy`, or remove it.');
}

function checkStep(step: RawStep, context: Context): void {
  checkId(step, context);
  for (const { text, index } of textsAt(step.raw, 'needs')) {
    knownStep(text, ['steps', step.index, 'needs', index], context);
  }
  checkScope(step, context);
  checkCondition(step, context);
  checkEnvironment(step, context);
  if (step.kind === 'agent') checkPlaceholders(step, 'prompt', context);
  if (step.kind === 'validate') checkChecks(step, context);
  if (step.kind === 'approve') checkApproval(step, context);
}

function checkId(step: RawStep, { graph, source, add }: Context): void {
  const path = ['steps', step.index, 'id'];
  if (step.id === undefined) return;
  if (RESERVED_IDS.includes(step.id)) {
    const detail = `The id \`${step.id}\` has a meaning of its own.`;
    const hint =
      step.id === SETUP_STEP_ID
        ? 'Choose another id, or move the commands to `setup:` at the top of the plan.'
        : 'Choose another id.';
    add('ReservedId', path, detail, hint);
  }
  const first = graph.stepById.get(step.id);
  if (first === undefined || first === step) return;
  const { line } = source.positionOf(['steps', first.index, 'id']);
  const detail = `The id \`${step.id}\` belongs to the step in line ${line} already.`;
  add('DuplicateId', path, detail, 'Give each step an id of its own.');
}

/** Whether `id` is a step; says so where it is not. */
function knownStep(id: string, path: ValuePath, context: Context, at?: Position): boolean {
  const { graph, add } = context;
  if (graph.ids.includes(id)) return true;
  const hint =
    id === SETUP_STEP_ID
      ? 'The plan has no `setup`.'
      : didYouMean(id, graph.ids, `Steps are ${listed(graph.ids)}.`);
  add('UnknownStep', path, `There is no step ${quoted(id)}.`, hint, at);
  return false;
}

/** Whether `id` is a step that has ended when `step` begins; says so where it is not. */
function stepBefore(
  id: string,
  step: RawStep,
  path: ValuePath,
  context: Context,
  at?: Position,
): boolean {
  if (!knownStep(id, path, context, at)) return false;
  if (context.graph.isBefore(id, step)) return true;
  const name = step.id ?? 'this step';
  context.add(
    'NotBefore',
    path,
    id === step.id
      ? `\`${name}\` names itself.`
      : `\`${name}\` does not come after \`${id}\`: neither its \`needs\` nor theirs name it.`,
    id === step.id ? 'Name a step before it.' : `Add \`${id}\` to the \`needs\` of \`${name}\`.`,
    at,
  );
  return false;
}

/** An output `<step>.<key>` of a step before. */
function outputBefore(
  reference: { readonly step: string; readonly key: string },
  step: RawStep,
  path: ValuePath,
  context: Context,
  at?: Position,
): void {
  if (!stepBefore(reference.step, step, path, context, at)) return;
  const from = context.graph.stepById.get(reference.step);
  if (from === undefined) return;
  const named = `\`${reference.step}.${reference.key}\``;
  if (from.kind === 'validate') {
    const detail = `${named} cannot exist: a validation has no outputs.`;
    context.add('NoOutputs', path, detail, 'Name a command, an agent, or an approval.', at);
  } else if (from.kind === 'approve') {
    const fields = Object.keys(recordAt(from.raw, 'form') ?? {});
    if (fields.includes(reference.key)) return;
    const detail = `${named} cannot exist: the outputs of an approval are the fields of its \`form\`.`;
    const hint = didYouMean(reference.key, fields, `Its form has ${listed(fields)}.`);
    context.add('NoOutputs', path, detail, hint, at);
  }
}

function checkScope(step: RawStep, { raw, add }: Context): void {
  const scope = recordAt(step.raw, 'scope');
  if (scope === undefined) return;
  const head = ['steps', step.index, 'scope'];
  const hint = "Widen the run's `scope`, or narrow this one.";
  const runTools = recordAt(raw, 'scope')?.['tools'];
  const tools =
    runTools === undefined
      ? DEFAULT_SCOPE.tools
      : textsAt(raw, 'scope', 'tools').map((t) => t.text);
  for (const { text, index } of textsAt(scope, 'tools')) {
    if (tools.includes(text)) continue;
    const detail = `The run does not have the tool \`${text}\`: it has ${listed(tools)}.`;
    add('ScopeTooWide', [...head, 'tools', index], detail, hint);
  }
  const write = textsAt(raw, 'scope', 'write').map(({ text }) => text);
  for (const { text, index } of textsAt(scope, 'write')) {
    if (globFault(text) !== undefined || isGlobWithin(text, write)) continue;
    const detail = `The run may not write everything in \`${text}\`: it may write ${listed(write)}.`;
    add('ScopeTooWide', [...head, 'write', index], detail, hint);
  }
  const hosts = textsAt(raw, 'scope', 'network', 'hosts').map(({ text }) => text);
  for (const { text, index } of textsAt(scope, 'network', 'hosts')) {
    if (hosts.some((host) => isHostWithin(text, host))) continue;
    const detail = `The run may not reach \`${text}\`: it may reach ${listed(hosts)}.`;
    add('ScopeTooWide', [...head, 'network', 'hosts', index], detail, hint);
  }
}

/** `*.example.com` covers every name below `example.com`, on every port it does not name. */
function isHostWithin(host: string, widest: string): boolean {
  const [name = '', port] = host.split(':');
  const [wideName = '', widePort] = widest.split(':');
  if (widePort !== undefined && widePort !== port) return false;
  return wideName.startsWith('*.') ? name.endsWith(wideName.slice(1)) : name === wideName;
}

const CONDITION_HINT =
  "Write it in CEL, such as `inputs.branch == 'main'`; an id with a hyphen needs brackets: `steps['my-step'].status`.";

function checkCondition(step: RawStep, context: Context): void {
  const { source, raw, add } = context;
  const text = textAt(step.raw, 'when');
  if (text === undefined || text === '') return;
  const path = ['steps', step.index, 'when'];
  const reading = readCondition(text);
  const placeOf = (start: number): Position => {
    const whole = source.createPartFinder(path)(text);
    // Only of text that stands in one line as it is can a place inside be told.
    return source.text.split('\n')[whole.line - 1]?.startsWith(text, whole.column - 1) === true
      ? { line: whole.line, column: whole.column + start }
      : whole;
  };
  if (!reading.ok) {
    const { detail, start } = reading.fault;
    add('BadCondition', path, `In ${quoted(text)}: ${detail}.`, CONDITION_HINT, placeOf(start));
    return;
  }
  const inputs = Object.keys(recordAt(raw, 'inputs') ?? {});
  for (const reference of reading.references) {
    const at = placeOf(reference.start);
    if (reference.kind === 'input') {
      knownInput(reference.name, inputs, path, add, at);
    } else if (reference.field !== 'status' && reference.field !== 'outputs') {
      const detail = `In ${quoted(text)}: a step has \`status\` and \`outputs\`, not ${quoted(reference.field)}.`;
      add('BadCondition', path, detail, CONDITION_HINT, at);
    } else if (reference.key !== null && reference.field === 'outputs') {
      outputBefore({ step: reference.step, key: reference.key }, step, path, context, at);
    } else {
      stepBefore(reference.step, step, path, context, at);
    }
  }
}

function knownInput(
  name: string,
  inputs: readonly string[],
  path: ValuePath,
  add: Add,
  at: Position,
): void {
  if (inputs.includes(name)) return;
  const hint = didYouMean(name, inputs, `Inputs are ${listed(inputs)}.`);
  add('UnknownInput', path, `There is no input ${quoted(name)}.`, hint, at);
}

function checkEnvironment(step: RawStep, context: Context): void {
  const { add } = context;
  const head = ['steps', step.index];
  const from = recordAt(step.raw, 'env', 'from') ?? {};
  for (const [variable, reference] of Object.entries(from)) {
    if (typeof reference !== 'string') continue;
    const path = [...head, 'env', 'from', variable];
    const target = placeholderTarget(reference);
    if (target?.kind === 'output') outputBefore(target, step, path, context);
    else {
      const detail = `${quoted(reference)} does not name an output.`;
      add('BadValue', path, detail, 'Write `<step>.<output>`, such as `build.version`.');
    }
  }
  const seen = new Set<string>(Object.keys(recordAt(step.raw, 'env', 'set') ?? {}));
  const places: (readonly [string, ValuePath])[] = [
    ...Object.keys(from).map((name) => [name, [...head, 'env', 'from', name]] as const),
    ...textsAt(step.raw, 'secrets').map(
      ({ text, index }) => [text, [...head, 'secrets', index]] as const,
    ),
  ];
  for (const [name, path] of places) {
    if (seen.has(name)) {
      const detail = `The variable \`${name}\` is set twice in this step.`;
      const hint = 'Keep it in one of `env.set`, `env.from` and `secrets`.';
      add('DuplicateVariable', path, detail, hint, context.source.positionOfKey(path));
    }
    seen.add(name);
  }
}

function checkPlaceholders(step: RawStep, field: string, context: Context): void {
  const { raw, source, add } = context;
  const text = textAt(step.raw, field);
  if (text === undefined) return;
  const path = ['steps', step.index, field];
  const findPart = source.createPartFinder(path);
  for (const placeholder of placeholdersOf(text)) {
    const at = findPart(placeholder.raw);
    const { target } = placeholder;
    if (target === undefined) {
      const detail = `${quoted(placeholder.raw)} is not a placeholder.`;
      const hint = 'Write `{{ context.prd }}`, `{{ inputs.<name> }}` or `{{ <step>.<output> }}`.';
      add('BadPlaceholder', path, detail, hint, at);
    } else if (target.kind === 'output') {
      outputBefore(target, step, path, context, at);
    } else if (target.kind === 'input') {
      knownInput(target.name, Object.keys(recordAt(raw, 'inputs') ?? {}), path, add, at);
    } else if (!Object.hasOwn(recordAt(raw, 'context') ?? {}, target.field)) {
      const given = Object.keys(recordAt(raw, 'context') ?? {});
      const known = (CONTEXT_FIELDS as readonly string[]).includes(target.field);
      const hint = known
        ? `Add \`${target.field}\` to \`context\`.`
        : didYouMean(target.field, CONTEXT_FIELDS, `The context has ${listed(given)}.`);
      add('BadPlaceholder', path, `The plan has no \`context.${target.field}\`.`, hint, at);
    }
  }
}

function checkChecks(step: RawStep, context: Context): void {
  const { graph, add } = context;
  listAt(step.raw, 'validate').forEach((check, index) => {
    const head = ['steps', step.index, 'validate', index];
    const exitOf = textAt(check, 'exit', 'step');
    if (exitOf !== undefined) {
      const path = [...head, 'exit', 'step'];
      const kind = graph.stepById.get(exitOf)?.kind;
      if (stepBefore(exitOf, step, path, context) && kind !== undefined && !isCommand(kind)) {
        const detail = `\`${exitOf}\` is not a command, so it has no exit code.`;
        add('NoOutputs', path, detail, 'Name a step with `run` or `argv`.');
      }
    }
    const outputOf = textAt(check, 'schema', 'output');
    if (outputOf !== undefined) {
      const path = [...head, 'schema', 'output'];
      const kind = graph.stepById.get(outputOf)?.kind;
      if (stepBefore(outputOf, step, path, context) && kind === 'validate') {
        const detail = `\`${outputOf}\` is a validation, which has no outputs.`;
        add('NoOutputs', path, detail, 'Name a command, an agent, or an approval.');
      }
    }
    checkNumber(check, head, add);
    if (valueAt(check, ['file', 'exists']) === false && textAt(check, 'file', 'matches')) {
      const detail = 'A file that must not exist cannot match anything.';
      add('BadValue', [...head, 'file', 'matches'], detail, 'Remove `matches` or `exists`.');
    }
  });
}

function checkNumber(check: unknown, head: ValuePath, add: Add): void {
  if (recordAt(check, 'number') === undefined) return;
  const min = numberAt(check, 'number', 'min');
  const max = numberAt(check, 'number', 'max');
  const path = [...head, 'number'];
  if (
    valueAt(check, ['number', 'min']) === undefined &&
    valueAt(check, ['number', 'max']) === undefined
  ) {
    add('MissingField', path, 'The number has no limit.', 'Add `min`, `max`, or both.');
  } else if (min !== undefined && max !== undefined && min > max) {
    const detail = `\`min\` ${min} is more than \`max\` ${max}: no number passes.`;
    add('BadValue', [...path, 'min'], detail, 'Swap or correct them.');
  }
}

function isCommand(kind: RawStep['kind']): boolean {
  return kind === 'run' || kind === 'argv';
}

function checkApproval(step: RawStep, context: Context): void {
  const { add } = context;
  const head = ['steps', step.index];
  checkPlaceholders(step, 'approve', context);
  for (const { text, index } of textsAt(step.raw, 'show')) {
    checkShown(text, step, [...head, 'show', index], context);
  }
  const restart = textAt(step.raw, 'onReject', 'restart');
  if (restart !== undefined) stepBefore(restart, step, [...head, 'onReject', 'restart'], context);

  checkEscalation(step, context);
  const by = recordAt(step.raw, 'by');
  const people = new Set(textsAt(by, 'people').map(({ text }) => text));
  const givesRoles = by?.['roles'] !== undefined;
  const roles = textsAt(by, 'roles');
  if (givesRoles && roles.length === 0 && people.size === 0) {
    const detail = 'Neither a role nor a person is named.';
    add('ImpossibleApproval', [...head, 'by'], detail, 'Name who decides in `roles` or `people`.');
    return;
  }
  const count = numberAt(by, 'count') ?? 1;
  if (people.size > 0 && roles.length === 0 && count > people.size) {
    const detail = `${count} people must approve, and only ${people.size} may.`;
    add(
      'ImpossibleApproval',
      [...head, 'by', 'count'],
      detail,
      'Lower `count`, or name more people.',
    );
  }
}

function checkEscalation(step: RawStep, { add }: Context): void {
  const escalate = recordAt(step.raw, 'escalate');
  if (escalate === undefined) return;
  const path = ['steps', step.index, 'escalate'];
  if (textsAt(escalate, 'roles').length === 0 && textsAt(escalate, 'people').length === 0) {
    const detail = 'Nobody is named to escalate to.';
    add('ImpossibleApproval', path, detail, 'Name further people in `roles` or `people`.');
  }
  const afterMs = durationToMs(textAt(escalate, 'after') ?? '');
  const expiresMs = durationToMs(textAt(step.raw, 'expires') ?? '');
  if (afterMs !== undefined && expiresMs !== undefined && afterMs >= expiresMs) {
    const detail = 'It expires before it escalates.';
    add('ImpossibleApproval', [...path, 'after'], detail, 'Let `expires` be longer than `after`.');
  }
}

/** `diff`, `<step>.output`, `<step>.<key>`, or the path of an artifact of a step before. */
function checkShown(text: string, step: RawStep, path: ValuePath, context: Context): void {
  if (text === 'diff') return;
  const { graph, add } = context;
  const target = placeholderTarget(text);
  const isStep = target?.kind === 'output' && graph.ids.includes(target.step);
  if (!isStep && keepsArtifact(text, step, graph)) return;
  if (target?.kind === 'output') {
    if (target.key === 'output') stepBefore(target.step, step, path, context);
    else outputBefore(target, step, path, context);
    return;
  }
  const detail = `No step before this one keeps ${quoted(text)} as an artifact.`;
  const hint =
    'Write `diff`, `<step>.output`, `<step>.<key>`, or a path that a step before has in `artifacts`.';
  add('UnknownArtifact', path, detail, hint);
}

function keepsArtifact(path: string, step: RawStep, graph: StepGraph): boolean {
  return graph.steps.some(
    (other) =>
      other.id !== undefined &&
      graph.isBefore(other.id, step) &&
      textsAt(other.raw, 'artifacts').some(({ text }) => globMatchesPath(text, path)),
  );
}
