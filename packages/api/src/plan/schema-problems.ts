/** Puts into words what the schema of plan files finds wrong, each at its place in the file. */
import { z } from 'zod';
import { globFault, pathFault } from './globs.ts';
import { didYouMean, nearestName } from './nearest-name.ts';
import { CHECK_KEYS, STEP_KIND_KEYS, planFileSchema } from './plan-schema.ts';
import { listed, quoted } from './problem.ts';
import type { Finding, ProblemType } from './problem.ts';
import { textAt, valueAt } from './raw-values.ts';
import type { PlanSource, ValuePath } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;

/** Every fault of `raw` by the schema, in no order. Places below `refused` are left out. */
export function schemaFindings(
  raw: unknown,
  source: PlanSource,
  refused: readonly ValuePath[],
): readonly Finding[] {
  const result = planFileSchema.safeParse(raw);
  if (result.success) return [];
  return result.error.issues
    .flatMap((issue) => issueFindings(issue, [], { raw, source }))
    .filter(({ path }) => !refused.some((head) => head.every((part, i) => part === path[i])))
    .map(({ finding }) => finding);
}

interface Context {
  readonly raw: unknown;
  readonly source: PlanSource;
}

interface PlacedFinding {
  readonly path: ValuePath;
  readonly finding: Finding;
}

function issueFindings(issue: Issue, head: ValuePath, context: Context): readonly PlacedFinding[] {
  const path = [...head, ...(issue.path as ValuePath)];
  if (issue.code === 'unrecognized_keys') return unknownFields(issue.keys, path, context);
  const place = (
    type: ProblemType,
    detail: string,
    hint: Finding['hint'],
  ): readonly PlacedFinding[] => [
    {
      path,
      finding: { type, detail: sentence(detail), hint, at: context.source.positionOf(path) },
    },
  ];
  const name = nameOf(path, context.raw);
  const value = valueAt(context.raw, path);
  if (value === undefined) {
    return place(
      'MissingField',
      `${nameOf(path.slice(0, -1), context.raw)} has no ${name}.`,
      `Add ${name}.`,
    );
  }
  switch (issue.code) {
    case 'invalid_union': {
      const options = unionOptions(schemaAt(path, context.raw));
      const chosen = chooseOption(options, value);
      const inner = chosen === undefined ? undefined : issue.errors[chosen];
      if (inner !== undefined) return inner.flatMap((one) => issueFindings(one, path, context));
      const shared = sharedIssues(issue.errors).flatMap((one) => issueFindings(one, path, context));
      return [...noOption(path, value, options, context), ...shared];
    }
    case 'invalid_type':
      return place(
        'WrongType',
        `${name} must be ${expectedWords(issue.expected)}, and is ${kindWords(value)}.`,
        typeHint(issue.expected, value, path),
      );
    case 'invalid_value': {
      const allowed = issue.values.map(String);
      const hint = `Write ${listed(allowed, 'or')}.`;
      return place(
        'BadValue',
        `${name} cannot be ${quoted(value)}.`,
        typeof value === 'string' ? didYouMean(value, allowed, hint) : hint,
      );
    }
    case 'too_small':
    case 'too_big':
      return place('BadValue', `${name} ${sizeWords(issue)}.`, 'Change it to fit.');
    case 'invalid_key':
      return [
        {
          path,
          finding: {
            ...formatWords('BadName', path.slice(0, -1), path.at(-1)),
            at: context.source.positionOfKey(path),
          },
        },
      ];
    case 'invalid_format':
    case 'custom': {
      const words = formatWords(issue.message, path, value);
      return place(words.type, words.detail, words.hint);
    }
    case 'invalid_element':
    case 'not_multiple_of':
      return place('BadValue', `${name}: ${issue.message}.`, 'Correct the value.');
  }
}

/** What is wrong with a value whichever alternative is meant, such as the id of a step without a kind. */
function sharedIssues(alternatives: readonly (readonly Issue[])[]): readonly Issue[] {
  const [first = [], ...others] = alternatives;
  const isSame = (a: Issue, b: Issue): boolean =>
    a.code === b.code && a.message === b.message && a.path.join('.') === b.path.join('.');
  return first.filter(
    (issue) =>
      issue.path.length > 0 && others.every((issues) => issues.some((one) => isSame(issue, one))),
  );
}

/** A step or a check of several kinds is told once; its other fields fit one kind or the other. */
function unknownFields(
  keys: readonly string[],
  path: ValuePath,
  context: Context,
): readonly PlacedFinding[] {
  const kindKeys = kindKeysAt(path);
  const second = keys.find((key) => kindKeys.includes(key));
  if (second !== undefined) {
    const kinds = Object.keys(valueAt(context.raw, path) as object).filter((key) =>
      kindKeys.includes(key),
    );
    const what = isStepPath(path) ? 'step' : 'check';
    const finding: Finding = {
      type: 'SeveralKinds',
      detail: `One ${what} has ${listed(kinds)}; each makes a kind of its own.`,
      hint: `Make a ${what} of each.`,
      at: context.source.positionOfKey([...path, second]),
    };
    return [{ path, finding }];
  }
  const shape = shapeOf(chosenSchema(schemaAt(path, context.raw), valueAt(context.raw, path)));
  const free = shape.filter((key) => valueAt(context.raw, [...path, key]) === undefined);
  return keys.map((key) => ({
    path: [...path, key],
    finding: {
      type: 'UnknownField',
      detail: sentence(`${nameOf(path, context.raw)} has no field ${quoted(key)}.`),
      hint: didYouMean(key, free, `It has ${listed(shape)}.`),
      at: context.source.positionOfKey([...path, key]),
    },
  }));
}

/** None of the alternatives is meant, as far as one can tell. */
function noOption(
  path: ValuePath,
  value: unknown,
  options: readonly z.ZodType[],
  context: Context,
): readonly PlacedFinding[] {
  const at = context.source.positionOf(path);
  const kindKeys = kindKeysAt(path);
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (kindKeys.length > 0 && isMapping) {
    const near = Object.keys(value)
      .map((key) => ({ key, kind: nearestName(key, kindKeys) }))
      .find(({ kind }) => kind !== undefined);
    const step = isStepPath(path);
    const finding: Finding = {
      type: step ? 'NoKind' : 'UnknownCheck',
      detail: sentence(`${nameOf(path, context.raw)} has none of ${listed(kindKeys, 'or')}.`),
      hint:
        near?.kind === undefined
          ? `Add the one that says what the ${step ? 'step does' : 'check looks at'}.`
          : `Did you mean \`${near.kind}\` instead of ${quoted(near.key)}?`,
      at,
    };
    return [{ path, finding }];
  }
  const finding: Finding = {
    type: 'WrongType',
    detail: sentence(
      `${nameOf(path, context.raw)} must be ${options.map(optionWords).join(', or ')}, and is ${kindWords(value)}.`,
    ),
    hint: 'Write one of these.',
    at,
  };
  return [{ path, finding }];
}

function isStepPath(path: ValuePath): boolean {
  return path.length === 2 && path[0] === 'steps';
}

function kindKeysAt(path: ValuePath): readonly string[] {
  if (isStepPath(path)) return STEP_KIND_KEYS;
  return path.length === 4 && path[2] === 'validate' ? CHECK_KEYS : [];
}

/** The alternative that `value` is meant to be; undefined when nothing tells. */
function chooseOption(options: readonly z.ZodType[], value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const fits = options.findIndex((option) => {
      const result = option.safeParse(value);
      const wrong = ['invalid_type', 'invalid_value'];
      return result.success || !result.error.issues.some((issue) => wrong.includes(issue.code));
    });
    return fits < 0 ? undefined : fits;
  }
  const mappings = options.flatMap((option, index) =>
    option instanceof z.ZodObject || option instanceof z.ZodRecord ? [index] : [],
  );
  if (mappings.length === 1) return mappings[0];
  const scores = mappings.map((index) => ({ index, score: requiredKeys(options[index], value) }));
  const best = Math.max(...scores.map(({ score }) => score));
  if (scores.every(({ score }) => score === best)) return undefined;
  return scores.find(({ score }) => score === best)?.index;
}

/** How many of the keys that `option` demands are in `value`. */
function requiredKeys(option: z.ZodType | undefined, value: object): number {
  if (!(option instanceof z.ZodObject)) return 0;
  return Object.entries(option.shape).filter(
    ([key, inner]) => !(inner instanceof z.ZodOptional) && Object.hasOwn(value, key),
  ).length;
}

/** The schema of the value at `path`, alternatives chosen by `raw`. */
function schemaAt(path: ValuePath, raw: unknown): z.ZodType {
  let schema: z.ZodType = planFileSchema;
  path.forEach((segment, depth) => {
    schema = chosenSchema(schema, valueAt(raw, path.slice(0, depth)));
    if (schema instanceof z.ZodObject) schema = schema.shape[segment] as z.ZodType;
    else if (schema instanceof z.ZodArray) schema = schema.element as z.ZodType;
    else if (schema instanceof z.ZodRecord) schema = schema.valueType as z.ZodType;
  });
  return unwrap(schema);
}

function chosenSchema(schema: z.ZodType, value: unknown): z.ZodType {
  const options = unionOptions(unwrap(schema));
  const chosen = chooseOption(options, value);
  return (chosen === undefined ? undefined : options[chosen]) ?? unwrap(schema);
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
}

function unionOptions(schema: z.ZodType): readonly z.ZodType[] {
  return schema instanceof z.ZodUnion ? (schema.options as z.ZodType[]) : [];
}

function shapeOf(schema: z.ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function optionWords(option: z.ZodType): string {
  if (option instanceof z.ZodLiteral) return `\`${String(option.value)}\``;
  if (option instanceof z.ZodObject) return `a mapping with ${listed(shapeOf(option))}`;
  return expectedWords(option.type);
}

function nameOf(path: ValuePath, raw: unknown): string {
  const last = path.at(-1);
  if (last === undefined) return 'the plan';
  if (typeof last === 'string') return `\`${last}\``;
  if (!isStepPath(path)) return `item ${last + 1} of ${nameOf(path.slice(0, -1), raw)}`;
  const id = textAt(raw, ...path, 'id');
  return id === undefined ? `step ${last + 1}` : `step ${quoted(id)}`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const EXPECTED_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function expectedWords(expected: string): string {
  return EXPECTED_WORDS[expected] ?? expected;
}

function kindWords(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string') return `the text ${quoted(value)}`;
  return typeof value === 'number' ? `the number ${value}` : `\`${quoted(value)}\``;
}

const DURATION_HINT = 'Write a whole number and a unit: `90s`, `10m`, `2h` or `1d`.';
const DURATION_FIELDS: readonly unknown[] = ['timeout', 'time', 'backoff', 'expires'];

function typeHint(expected: string, value: unknown, path: ValuePath): string {
  if (value === null) return 'Give it a value, or remove the line.';
  if (DURATION_FIELDS.includes(path.at(-1))) return DURATION_HINT;
  if (expected === 'array' && typeof value !== 'object') return `Write [${quoted(value)}].`;
  if (expected === 'string' && typeof value !== 'object') {
    return `Put it in quotes: "${quoted(value)}".`;
  }
  return `Write ${expectedWords(expected)}.`;
}

function sizeWords(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): string {
  const small = issue.code === 'too_small';
  const limit = small ? issue.minimum : issue.maximum;
  const exclusive = issue.inclusive === false;
  const than = `${small ? 'at least' : 'at most'} ${limit}`;
  if (issue.origin === 'string') return small ? 'is empty' : `is longer than ${limit} characters`;
  if (issue.origin === 'array') return `must have ${than} ${limit === 1 ? 'item' : 'items'}`;
  return exclusive ? `must be ${small ? 'more' : 'less'} than ${limit}` : `must be ${than}`;
}

interface FormatWords {
  readonly type: ProblemType;
  readonly detail: string;
  readonly hint: Finding['hint'];
}

function formatWords(format: string, path: ValuePath, value: unknown): FormatWords {
  const text = typeof value === 'string' ? value : String(value);
  const field = path.findLast((segment) => typeof segment === 'string') ?? '';
  switch (format) {
    case 'BadDuration':
      return {
        type: format,
        detail: `\`${field}\` is ${quoted(value)}, which is not a duration of at most 365 days.`,
        hint: DURATION_HINT,
      };
    case 'BadId':
      return {
        type: format,
        detail: `${quoted(value)} is not a step id.`,
        hint: 'Use small letters, digits and hyphens, begin with a letter, at most 63.',
      };
    case 'BadPath':
      return {
        type: format,
        detail: `The path ${quoted(value)} ${pathFault(text) ?? 'is not usable'}.`,
        hint: 'Write it from the root of the project, such as `docs/plan.md`.',
      };
    case 'BadGlob':
      return {
        type: format,
        detail: `The glob ${quoted(value)} ${globFault(text) ?? 'is not usable'}.`,
        hint: 'Write it as in `.gitignore`, such as `src/**` or `docs/*.md`.',
      };
    case 'UnknownAdapter':
      return {
        type: format,
        detail: `There is no agent adapter ${quoted(value)}.`,
        hint: didYouMean(text, ADAPTERS, `Write ${listed([...ADAPTERS, 'acp:<name>'], 'or')}.`),
      };
    case 'BadName': {
      const hint = NAME_HINTS[field] ?? 'Use letters, digits and `_`; begin with a letter or `_`.';
      return {
        type: format,
        detail: `${quoted(value)} is not a valid name in \`${field}\`.`,
        hint: field === 'tools' ? didYouMean(text, TOOLS, hint) : hint,
      };
    }
    default:
      return {
        type: 'BadValue',
        detail: `\`${field}\` cannot be ${quoted(value)}.`,
        hint: 'Write a JSON pointer, such as `/total/lines/pct`.',
      };
  }
}

const ADAPTERS = ['claude', 'codex', 'copilot', 'scripted'];
const TOOLS = ['read', 'edit', 'search', 'exec', 'fetch', 'agent'];
const NAME_HINTS: Readonly<Record<string, string>> = {
  name: 'Keep it to one line.',
  feature: 'Write the slug of a feature; `ccdash features` lists them.',
  profile: 'Write the name of a profile, such as `minimal`.',
  tools: `Write ${listed([...TOOLS, 'mcp:<server>/<tool>'], 'or')}.`,
  hosts: 'Write a host name in small letters, such as `git.example.com`, without `https://`.',
  roles: 'Write the name of a role, such as `approver`.',
};
