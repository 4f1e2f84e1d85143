/** Hosts run attempts apart from the engine, write what they see to a spool, and outlive the engine. */
import type { Json, JsonObject } from '../base/json.ts';
import type { AgentFact, Failure, OutputSummary, ResumeToken, Usage } from '../machine/events.ts';
import type { Program } from '../plan/plan.ts';

export interface AttemptRef {
  readonly runId: string;
  readonly step: string;
  readonly attempt: number;
}

/** Everything a host needs, without any secret: it is written to disk. */
export interface AttemptSpec extends AttemptRef {
  readonly epoch: number;
  readonly work: CommandWork | AgentWork;
  /** Absolute path of the work tree. */
  readonly workspace: string;
  readonly sandbox: SandboxSpec;
  /** Complete; nothing of the host's environment is added but what the profile names. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of secrets set as variables; values travel apart and are redacted from everything written. */
  readonly secretNames: readonly string[];
  readonly timeoutMs: number | null;
  /** How long a host works on without an engine. */
  readonly orphanLimitMs: number;
}

export interface CommandWork {
  readonly kind: 'command';
  readonly program: Program;
  /** Relative to the workspace. */
  readonly cwd: string;
}

/**
 * How an agent is started that the project's settings name (`acp:<name>`). In `env` and `session`, the host fills in
 * `{{ gateway }}`, `{{ token }}`, `{{ model }}`, `{{ state }}` and `{{ workspace }}`.
 */
export interface AgentLaunch {
  /** Program and arguments; no shell reads them. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute paths that its sandbox shows, read-only. */
  readonly read: readonly string[];
  /** Mode that a session is set to; null leaves the agent's own. */
  readonly mode: string | null;
  /** What the agent itself takes with a new session (`_meta`). */
  readonly session: JsonObject;
}

export interface AgentWork {
  readonly kind: 'agent';
  readonly adapter: string;
  readonly prompt: string;
  readonly model: string | null;
  readonly tools: readonly string[];
  readonly write: readonly string[];
  readonly maxTurns: number | null;
  readonly maxTokens: number | null;
  /** US dollars that model calls may cost; left out by hosts' errands from before it was held. */
  readonly maxUsd?: number | null;
  readonly outputSchema: JsonObject | null;
  readonly session:
    | { readonly kind: 'new'; readonly id: string }
    | { readonly kind: 'resume'; readonly token: ResumeToken };
  /** Where the agent keeps its own state (transcripts); stays when the attempt ends. */
  readonly stateDir: string;
  /** The model the gateway speaks to. */
  readonly upstream:
    { readonly kind: 'service' } | { readonly kind: 'scripted'; readonly scriptFile: string };
  readonly ext: Readonly<Record<string, Json>>;
  /** Of agents that the project's settings name alone. */
  readonly launch?: AgentLaunch;
}

export interface SandboxSpec {
  readonly kind: 'bubblewrap' | 'none';
  /** Empty = the workspace is mounted read-only. Globs; mounts are made for their fixed prefixes. */
  readonly write: readonly string[];
  /** Absolute paths readable besides the system's and the workspace. */
  readonly readPaths: readonly string[];
  readonly network: 'none' | { readonly hosts: readonly string[] };
}

export type AttemptOutcome = {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly output: OutputSummary | null;
  /** What the work wrote to `$CCDASH_OUTPUT`, or the agent's answer. */
  readonly outputs: JsonObject;
  readonly usage: Usage | null;
} & (
  | { readonly status: 'succeeded' }
  | { readonly status: 'failed'; readonly failure: Failure; readonly retryable: boolean }
  /** Told to stop, and nothing of it lives any more. */
  | { readonly status: 'stopped'; readonly failure: Failure }
);

/** A line of the spool that the engine takes: agent facts, and the end. `seq` is dense, from 1. */
export type HostFact =
  | AgentFact
  | {
      readonly seq: number;
      readonly at: string;
      readonly type: 'ended';
      readonly outcome: AttemptOutcome;
    };

export type AttemptStanding =
  /** The claim was still free and is now ours: no host of this attempt will ever run. */
  | 'never-started'
  | 'alive'
  /** The spool holds its end. */
  | 'ended'
  /** Its host died without writing an end; nothing of it lives. */
  | 'gone';

export interface Following {
  /** Delivers a decision to a waiting gate; repeating it does no harm. */
  answer(gateId: string, decision: 'allow' | 'deny', reason: string): void;
  /** Lets no further model call of the work begin, or lets them begin again. Repeating it does no harm. */
  hold(isHeld: boolean): void;
  /** Hands on what a person says to the agent; repeating it does no harm. */
  tell(messageId: string, text: string): void;
  /** Asks the work to stop: gates close, then it is interrupted, then killed. Repeating it does no harm. */
  stop(reason: string): void;
  /** Resolves when the spool has been read to its end: by its terminal fact, or because the host is dead. */
  readonly done: Promise<'ended' | 'gone'>;
  /** Stops following (the host goes on). */
  detach(): void;
}

export interface AttemptHosts {
  /** Starts the host of an attempt whose start is already in the log. */
  launch(spec: AttemptSpec, secretByName: Readonly<Record<string, string>>): Promise<void>;
  /** What became of an attempt, looked up after a restart. */
  find(ref: AttemptRef): Promise<AttemptStanding>;
  /** Facts with `seq > afterSeq`, in order, batched, each exactly once; the next batch waits for the promise. */
  follow(
    ref: AttemptRef,
    afterSeq: number,
    onFacts: (facts: readonly HostFact[]) => Promise<void>,
  ): Following;
  /** Path of the whole output of an attempt (already redacted), whether or not it exists yet. */
  outputPathOf(ref: AttemptRef): string;
  /** Path of what the model answered in an attempt, whether or not it answered anything. */
  answersPathOf(ref: AttemptRef): string;
  /** Lets the host go: its facts are all in the log. */
  release(ref: AttemptRef): void;
  /** What the sandbox can do here; probed once. */
  sandbox(): Promise<{ readonly available: boolean; readonly problem: string | null }>;
}
