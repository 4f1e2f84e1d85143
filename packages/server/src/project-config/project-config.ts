/** `.ccdash/config.yaml`: what a project may set, checked with line and column. */
import { durationToMs } from '@ccdash/api/plan';
import { err, ok } from '@ccdash/core';
import type { AgentLaunch, JsonObject, Result } from '@ccdash/core';
import { LineCounter, isAlias, isMap, isNode, isPair, parseAllDocuments, visit } from 'yaml';
import type { Document, Node, Pair } from 'yaml';
import { z } from 'zod';

export interface ProjectConfig {
  /** How long a host works on without an engine. */
  readonly orphanLimitMs: number;
  readonly sandbox: {
    /** Absolute paths that sandboxed steps may read besides the system's and the workspace. */
    readonly read: readonly string[];
  };
  /** Agents that speak the Agent Client Protocol, by the name after `acp:`. */
  readonly agents: Readonly<Record<string, AgentLaunch>>;
}

export const DEFAULT_PROJECT_CONFIG: ProjectConfig = {
  orphanLimitMs: 15 * 60_000,
  sandbox: { read: [] },
  agents: {},
};

/** A mistake in the file. `line` and `column` are 1-based. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly detail: string;
}

/** `file:line:column: detail`. */
export function configProblemToText({ file, line, column, detail }: ConfigProblem): string {
  return `${file}:${line}:${column}: ${detail}`;
}

/** The settings of a file, defaults filled in. Errors: the first mistakes found, in the order of the file. */
export function parseProjectConfig(
  text: string,
  file: string,
): Result<ProjectConfig, readonly ConfigProblem[]> {
  const parsed = parseSettings(text, file);
  if (parsed.ok) return parsed;
  const inOrder = [...parsed.error].sort((a, b) => a.line - b.line || a.column - b.column);
  return err(inOrder.slice(0, MAX_PROBLEMS));
}

/** A file of nothing but brackets has thousands. */
const MAX_PROBLEMS = 20;

function parseSettings(
  text: string,
  file: string,
): Result<ProjectConfig, readonly ConfigProblem[]> {
  const lines = new LineCounter();
  const problem = (offset: number, detail: string): ConfigProblem => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col, detail };
  };
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
  });
  if ('empty' in documents) return ok(DEFAULT_PROJECT_CONFIG);
  const [document, second] = documents;
  if (document === undefined) return ok(DEFAULT_PROJECT_CONFIG);
  if (second !== undefined) {
    return err([problem(second.range[0], 'a second document; write one, without `---`')]);
  }
  const syntax = [...document.errors, ...document.warnings];
  if (syntax.length > 0) return err(syntax.map(({ pos, message }) => problem(pos[0], message)));
  const alias = firstAlias(document);
  if (alias !== null) {
    return err([problem(alias.range?.[0] ?? 0, 'an alias; write the value itself')]);
  }
  const parsed = fileSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    return err(
      parsed.error.issues.flatMap((issue) => {
        const path = issue.path.filter((segment) => typeof segment !== 'symbol');
        if (issue.code !== 'unrecognized_keys') {
          return [problem(offsetOf(document, path), issue.message)];
        }
        return issue.keys.map((key) =>
          problem(offsetOf(document, [...path, key]), unknownKeyText(key, path)),
        );
      }),
    );
  }
  const { orphanLimit, sandbox, agents } = parsed.data;
  return ok({
    orphanLimitMs: orphanLimit ?? DEFAULT_PROJECT_CONFIG.orphanLimitMs,
    sandbox: { read: sandbox?.read ?? DEFAULT_PROJECT_CONFIG.sandbox.read },
    agents: Object.fromEntries(
      Object.entries(agents ?? {}).map(([name, { command, env, read, mode, session }]) => [
        name,
        {
          command,
          env: env ?? {},
          read: read ?? [],
          mode: mode ?? null,
          session: session ?? {},
        },
      ]),
    ),
  });
}

const MIN_ORPHAN_LIMIT_MS = 10_000;
const MAX_ORPHAN_LIMIT_MS = 24 * 60 * 60_000;
const ORPHAN_LIMIT_HINT = 'orphanLimit is a time from 10s to 24h, such as 90s, 15m or 2h';
const READ_HINT = 'sandbox.read is a list of absolute paths, such as [/opt/tools]';

const orphanLimit = z.string({ error: ORPHAN_LIMIT_HINT }).transform((text, context) => {
  const ms = durationToMs(text) ?? 0;
  if (ms >= MIN_ORPHAN_LIMIT_MS && ms <= MAX_ORPHAN_LIMIT_MS) return ms;
  context.addIssue({ code: 'custom', message: ORPHAN_LIMIT_HINT });
  return z.NEVER;
});

const readPath = z.string({ error: READ_HINT }).superRefine((path, context) => {
  const segments = path.split('/').slice(1);
  const plain = segments.every((segment) => !['', '.', '..'].includes(segment));
  if (path.startsWith('/') && plain && !/\p{Cc}/u.test(path)) return;
  const message = `${JSON.stringify(path)} is not an absolute path below /, without ".", ".." and a / at its end`;
  context.addIssue({ code: 'custom', message });
});

const AGENT_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const AGENTS_HINT = 'agents holds agents by name, such as `my-agent: { command: [my-agent, acp] }`';
const COMMAND_HINT = 'command is a list of a program and its arguments, such as [my-agent, acp]';
const ENV_HINT = 'env holds variables by name, each a text';
const AGENT_READ_HINT = 'read is a list of absolute paths, such as [/opt/tools]';
const PLACES = ['gateway', 'token', 'model', 'state', 'workspace'];

/** A place that nobody fills would reach the agent as it stands. */
const withPlaces = z
  .string({ error: ENV_HINT })
  .max(100_000)
  .superRefine((text, context) => {
    for (const problem of placeProblems(text))
      context.addIssue({ code: 'custom', message: problem });
  });

function placeProblems(text: string): readonly string[] {
  return [...text.matchAll(/\{\{ *([\w.-]+) *\}\}/g)].flatMap(([, name = '']) =>
    PLACES.includes(name)
      ? []
      : [`{{ ${name} }} stands for nothing here; there are: ${PLACES.join(', ')}`],
  );
}

const word = z
  .string({ error: COMMAND_HINT })
  .min(1, COMMAND_HINT)
  .max(10_000)
  .regex(/^(?!.*\{\{)/s, 'a command is seen by every process; use {{ … }} in env or session alone')
  .regex(/^[^\0]*$/, COMMAND_HINT);
const command = z
  .array(word, { error: COMMAND_HINT })
  .min(1, COMMAND_HINT)
  .max(100)
  .refine(([program = '']) => program.startsWith('/') || !program.includes('/'), {
    error: 'the program of command is a name on the PATH, or an absolute path',
  });
const variables = z
  .record(z.string(), withPlaces, { error: ENV_HINT })
  .refine((record) => Object.keys(record).every((name) => /^[A-Za-z_]\w*$/.test(name)), {
    error: 'names of variables in env have letters, digits and _',
  });
const session: z.ZodType<JsonObject> = z
  .record(z.string(), z.json(), { error: 'session holds what the agent takes with a new session' })
  .superRefine((value, context) => {
    for (const problem of placeProblems(JSON.stringify(value))) {
      context.addIssue({ code: 'custom', message: problem });
    }
  });

const AGENT_SHAPE = {
  command,
  env: variables.optional(),
  read: z.array(readPath, { error: AGENT_READ_HINT }).max(64).optional(),
  mode: z.string({ error: 'mode is the name of a mode of the agent' }).min(1).max(100).optional(),
  session: session.optional(),
};
const agents = z
  .record(z.string(), z.strictObject(AGENT_SHAPE, { error: AGENTS_HINT }), { error: AGENTS_HINT })
  .superRefine((record, context) => {
    for (const name of Object.keys(record)) {
      if (AGENT_NAME.test(name)) continue;
      const message = `${JSON.stringify(name)} is no name of an agent: it has small letters, digits and . _ -`;
      context.addIssue({ code: 'custom', message, path: [name] });
    }
  });

const SANDBOX_SHAPE = { read: z.array(readPath, { error: READ_HINT }).max(64).optional() };
const FILE_SHAPE = {
  orphanLimit: orphanLimit.optional(),
  sandbox: z
    .strictObject(SANDBOX_SHAPE, { error: 'sandbox holds settings, such as `read: []`' })
    .optional(),
  agents: agents.optional(),
};
const fileSchema = z.strictObject(FILE_SHAPE, {
  error: 'the file holds settings, such as `orphanLimit: 15m`',
});

function unknownKeyText(key: string, path: readonly PropertyKey[]): string {
  const below = path[0] === 'agents' ? AGENT_SHAPE : SANDBOX_SHAPE;
  const known = Object.keys(path.length === 0 ? FILE_SHAPE : below).join(', ');
  return `${JSON.stringify(key)} is not a setting here; known: ${known}`;
}

function firstAlias(document: Document): Node | null {
  let found: Node | null = null;
  visit(document, {
    Node: (_key, node) => {
      if (!isAlias(node)) return undefined;
      found = node;
      return visit.BREAK;
    },
  });
  return found;
}

/** Where a value stands, or what should hold it: the key of its pair where it has one, as that is what people look for. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const pair: Pair | undefined = isMap(parent)
      ? parent.items.find((item) => isPair(item) && String(item.key) === last)
      : undefined;
    const node = pair?.key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
