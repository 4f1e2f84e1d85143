/** What the engine needs of the world; app.ts supplies it. */
import type {
  AdapterCapabilities,
  AdapterProbe,
  ApprovalState,
  AdapterView,
  AgentLaunch,
  ArtifactRef,
  AttemptHosts,
  Check,
  CheckResult,
  Checkpoint,
  Clock,
  CommandFacts,
  EventStore,
  Failure,
  Ids,
  Json,
  JsonObject,
  PlanContext,
  Policy,
  Program,
  ResumeToken,
  Result,
  RunEvent,
  RunState,
  StepStatus,
  StoredEvent,
  Workspaces,
} from '@ccdash/core';
import type { Recording } from '../base/workbench.ts';

/** Values that conditions, prompts and environments may read. */
export interface ExpressionFacts {
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
  readonly steps: Readonly<
    Record<string, { readonly status: StepStatus; readonly outputs: JsonObject }>
  >;
  readonly context: PlanContext;
}

export interface Adapters {
  describe(): Promise<readonly AdapterView[]>;
  /** Null when no adapter has this id. */
  capabilities(adapter: string): Promise<AdapterCapabilities | null>;
  /** Why an agent cannot follow what a step says under `ext`; null when it can, or nobody has this id. */
  extensionFailure(adapter: string, ext: Readonly<Record<string, Json>>): Promise<Failure | null>;
  /** Null when no adapter has this id. */
  probe(adapter: string): Promise<AdapterProbe | null>;
  canResume(token: ResumeToken, stateDir: string): Promise<Result<void, Failure>>;
  /** Absolute paths of the SDK's program that its sandbox must see. */
  requiredPaths(adapter: string): Promise<readonly string[]>;
  /** How an agent is started that the project's settings name; null for every other. */
  launch(adapter: string): Promise<AgentLaunch | null>;
}

export interface CheckContext {
  readonly runId: string;
  readonly state: RunState;
  /** Where the run began, and what the checks look at. */
  readonly base: Checkpoint;
  readonly checkpoint: Checkpoint;
}

/** Numbered moments at which a crash must lose nothing; tests kill the process there. */
export type CrashPoint =
  | 'append-before'
  | 'append-after'
  | 'workspace-made'
  | 'attempt-restored'
  | 'attempt-launched'
  | 'facts-recorded'
  | 'end-checkpointed'
  | 'attempt-released'
  | 'validation-checked'
  | 'result-applied'
  | 'work-joined';

export interface EngineDeps {
  readonly store: EventStore;
  readonly decodeRunEvent: (event: StoredEvent) => Result<RunEvent, Failure>;
  readonly workspaces: Workspaces;
  readonly hosts: AttemptHosts;
  readonly adapters: Adapters;
  readonly policy: Policy;
  /** What a command does by its text, with the names of the variables that it is handed. */
  readonly classify: (program: Program, variables: readonly string[]) => CommandFacts;
  /** The same for one use of a tool by an agent. */
  readonly classifyTool: (tool: string, input: Json) => CommandFacts;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly projectDir: string;
  /** Where agents keep their own state: one folder a step, so that a session outlives its attempt. */
  readonly agentStateDir: (runId: string, step: string) => string;
  /** Model that agents talk to. */
  readonly upstream:
    { readonly kind: 'service' } | { readonly kind: 'scripted'; readonly scriptFile: string };
  readonly secret: (name: string) => string | undefined;
  /** Key of the real service, for the gateway alone. */
  readonly providerSecrets: () => Promise<Readonly<Record<string, string>>>;
  /** Who has approved this, and may not decide it any more. */
  readonly revokedAmong: (approval: ApprovalState) => readonly string[];
  /** Admins there are beside this person. */
  readonly otherAdmins: (person: string) => number;
  readonly profileEnv: (profile: string) => Result<Readonly<Record<string, string>>, Failure>;
  readonly readPaths: readonly string[];
  readonly orphanLimitMs: number;
  /** Number of this engine: higher than that of every engine before it. */
  readonly epoch: number;
  readonly evaluateCondition: (
    expression: string,
    facts: ExpressionFacts,
  ) => Result<boolean, Failure>;
  readonly renderTemplate: (text: string, facts: ExpressionFacts) => Result<string, Failure>;
  readonly runChecks: (
    checks: readonly Check[],
    context: CheckContext,
  ) => Promise<readonly CheckResult[]>;
  readonly keepArtifact: (name: string, bytes: Uint8Array) => Promise<Result<ArtifactRef, Failure>>;
  /** RFC 8785 canonical JSON of a value, as `sha256:<hex>`. */
  /** What a model answered, as a script to play again. */
  readonly recordingOf: (
    steps: readonly { readonly step: string; readonly files: readonly string[] }[],
    workspace: string,
  ) => Recording;
  readonly digest: (value: Json) => string;
  readonly isAllowedPath: (globs: readonly string[], path: string) => boolean;
  /** A bug in one run: it is quarantined, and the process says so. */
  readonly reportBug: (runId: string, error: unknown) => void;
  readonly crashPoint?: (point: CrashPoint, runId: string) => void;
}
