/**
 * What agents outside of runs may do here, as tools: look, check, propose, start, wait. Each is a call of the API with the
 * credential of whoever started the server, so it can do no more than they can; and nothing here decides, skips,
 * overrides, or changes who may do what.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { ok } from '@ccdash/api/client';
import type { Client, ClientError, Result, RunView } from '@ccdash/api/client';
import { z } from 'zod';

export interface McpTool {
  readonly name: string;
  readonly description: string;
  readonly input: z.ZodRawShape;
  readonly isReadOnly: boolean;
  call(client: Client, given: unknown): Promise<Result<unknown, ClientError>>;
}

const MAX_EVENTS = 500;
const MAX_ARTIFACT_BYTES = 256 * 1024;
const LONGEST_WAIT_S = 300;
const POLL_MS = 250;

function tool<S extends z.ZodRawShape>(
  name: string,
  description: string,
  input: S,
  call: (client: Client, given: z.infer<z.ZodObject<S>>) => Promise<Result<unknown, ClientError>>,
  isReadOnly = true,
): McpTool {
  const schema = z.object(input);
  return {
    ...{ name, description, input, isReadOnly },
    call: (client, given) => call(client, schema.parse(given)),
  };
}

const id = z.string().regex(/^[\w-]{1,200}$/);
const slug = z.string().min(1).max(200);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const planText = z
  .string()
  .min(1)
  .max(1024 * 1024);
const inputValue = z.union([z.string(), z.number(), z.boolean()]);

export const MCP_TOOLS: readonly McpTool[] = [
  tool(
    'list_features',
    "The features that the project's documents tell of, with their recommended next step.",
    {},
    (client) => client.features(),
  ),
  tool(
    'show_feature',
    'One feature: documents, phases, tasks, runs, next step and its evidence.',
    { slug },
    (client, given) => client.feature(given.slug),
  ),
  tool(
    'plan_of_feature',
    'The text of a plan made of the documents of a feature; saves nothing.',
    { slug, phase: z.string().max(100).optional(), agent: z.string().max(100).optional() },
    (client, given) => client.planFeature(given.slug, given.phase ?? null, given.agent ?? 'claude'),
  ),
  tool(
    'show_plan',
    'A saved plan, its newest revision unless one is named.',
    { plan: id, revision: z.int().min(1).optional() },
    (client, { plan, revision }) => client.plan(plan, revision),
  ),
  tool(
    'check_plan',
    'Everything that is wrong with the text of a plan file; else its order, what the policy says to each step, and who will be asked. Runs nothing.',
    { text: planText },
    (client, { text }) => client.dryRun(text, 'the plan'),
  ),
  tool(
    'propose_plan',
    'Saves the text of a plan file as a revision that people can look at; runs nothing.',
    { text: planText },
    async (client, { text }) => {
      const saved = await client.savePlan(text, 'the plan');
      if (!saved.ok) return saved;
      const { id: plan, revision, digest } = saved.value;
      return ok({ plan, revision, digest });
    },
    false,
  ),
  tool(
    'start_run',
    'Launches a run of a saved plan. The policy judges every step, and people are asked where it says so.',
    {
      plan: id,
      revision: z.int().min(1).optional(),
      inputs: z.record(z.string(), inputValue).optional(),
    },
    async (client, { plan, revision, inputs = {} }) =>
      summaryOf(
        await client.launch(plan, {
          inputs,
          ...(revision === undefined ? {} : { revision }),
        }),
      ),
    false,
  ),
  tool('list_runs', 'All runs, newest first.', {}, async (client) => {
    const runs = await client.runs();
    return runs.ok ? ok(runs.value.map(toSummary)) : runs;
  }),
  tool(
    'show_run',
    'One run: its steps, attempts, requests and cost.',
    { run: id },
    (client, { run }) => client.run(run),
  ),
  tool(
    'events_since',
    'Events of a run from a number on, oldest first; `next` is where to go on.',
    { run: id, from: z.int().min(0), limit: z.int().min(1).max(MAX_EVENTS).optional() },
    (client, { run, from, limit = 100 }) => client.runEvents(run, from, limit),
  ),
  tool(
    'wait_for_run',
    'Waits until a run has ended or waits for people, at most so many seconds; then its summary.',
    { run: id, seconds: z.int().min(1).max(LONGEST_WAIT_S) },
    async (client, { run, seconds }) => {
      const deadline = performance.now() + seconds * 1000;
      for (;;) {
        const now = await client.run(run);
        const isMoving = now.ok && ['queued', 'running'].includes(now.value.status);
        if (!isMoving || performance.now() >= deadline) return summaryOf(now);
        await wait(POLL_MS);
      }
    },
  ),
  tool(
    'show_diff',
    'What a run has changed, or a step of it.',
    { run: id, step: id.optional() },
    (client, { run, step }) => client.diff(run, step ?? null, null),
  ),
  tool(
    'list_artifacts',
    'The artifacts of a run, each with the step and attempt that made it.',
    { run: id },
    async (client, given) => {
      const run = await client.run(given.run);
      return run.ok ? ok(artifactsOf(run.value)) : run;
    },
  ),
  tool(
    'read_artifact',
    `The text of an artifact by its SHA-256, its first ${MAX_ARTIFACT_BYTES / 1024} KiB.`,
    { sha256 },
    async (client, given) => {
      const bytes = await client.artifact(given.sha256);
      if (!bytes.ok) return bytes;
      const isCut = bytes.value.length > MAX_ARTIFACT_BYTES;
      const text = new TextDecoder().decode(bytes.value.subarray(0, MAX_ARTIFACT_BYTES));
      return ok({ text, bytes: bytes.value.length, isCut });
    },
  ),
];

/** An artifact with where it comes from and what it is about. */
export interface ArtifactLine {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly mediaType: string;
  readonly run: string;
  readonly step: string;
  /** The attempt that made it, and the commit it left the workspace at. */
  readonly attempt: number | null;
  readonly commit: string | null;
  /** Steps that need the one that made it. */
  readonly usedBy: readonly string[];
  readonly feature: string | null;
}

export function artifactsOf(run: RunView): readonly ArtifactLine[] {
  const all = [...run.steps, ...run.removed];
  return all.flatMap((step) => {
    const made = step.attempts.findLast(({ status }) => status === 'succeeded');
    const usedBy = all.filter(({ needs }) => needs.includes(step.id)).map((each) => each.id);
    return step.artifacts.map((artifact) => ({
      ...artifact,
      run: run.id,
      step: step.id,
      attempt: made?.number ?? null,
      commit: made?.checkpoint?.commit ?? null,
      usedBy,
      feature: run.feature,
    }));
  });
}

function summaryOf(run: Result<RunView, ClientError>): Result<unknown, ClientError> {
  return run.ok ? ok(toSummary(run.value)) : run;
}

function toSummary(run: RunView): object {
  const { id: runId, plan, feature, status, blocked, createdAt, endedAt, steps } = run;
  return {
    ...{ id: runId, plan, feature, status, blocked, createdAt, endedAt },
    steps: steps.map((step) => ({ id: step.id, status: step.status, reason: step.reason })),
  };
}
