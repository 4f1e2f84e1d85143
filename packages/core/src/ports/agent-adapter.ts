/** One agent SDK behind one face. Adapters live in the attempt host; the host owns limits, the gate and the sandbox. */
import type { Json, JsonObject } from '../base/json.ts';
import type { AgentFact, Failure, ResumeToken, Usage } from '../machine/events.ts';
import type { AgentWork } from './attempt-hosts.ts';

/** Grows when an adapter written for an older one would do something wrong. Recorded with every attempt. */
export const AGENT_ADAPTER_INTERFACE_VERSION = 1;

/** What an adapter can do, as `ccdash adapters` and docs/adapters.md show it. */
export interface AdapterCapabilities {
  /** Who decides on a tool call: our gate at each one, the SDK by rules it was given, or the agent as it likes. */
  readonly permission: 'callback' | 'policy-only' | 'agent-discretion';
  readonly resume: boolean;
  readonly fork: boolean;
  readonly resumeAt: boolean;
  readonly structuredOutput: 'validated' | 'requested' | 'none';
  readonly cost: 'usd' | 'tokens' | 'none';
  readonly cancel: 'interrupt' | 'signal' | 'rpc';
  /** How it takes a person's word while it works: at once, or only by stopping and going on with it. */
  readonly steering: 'message' | 'restart';
  /** Whether a step may give it servers of the Model Context Protocol. */
  readonly mcp: boolean;
  /** Whether agents that it starts are gated like it, and told as its own. `none`: it starts none. */
  readonly subagents: 'folded' | 'none';
  /** Whether its model calls go by the gateway, where budgets and the key are. */
  readonly gateway: boolean;
}

/** A conformance case that an adapter cannot be held to, by its name, and why. */
export interface SkippedCase {
  readonly name: string;
  readonly reason: string;
}

/** An adapter as people choose between them: the answer of `ccdash adapters`. */
export interface AdapterView {
  readonly id: string;
  /** `ready`: a step may use it now. */
  readonly status: 'ready' | 'not-installed' | 'broken';
  /** Why it is not ready. */
  readonly problem: string | null;
  /** The exact command that installs the tested version; null for an agent that needs nothing. */
  readonly install: string | null;
  readonly interfaceVersion: number;
  readonly adapterVersion: string;
  readonly testedVersion: string | null;
  readonly sdkVersion: string | null;
  readonly programVersion: string | null;
  readonly capabilities: AdapterCapabilities;
  readonly skipped: readonly SkippedCase[];
}

export interface AdapterProbe {
  readonly available: boolean;
  readonly adapterVersion: string;
  readonly sdkVersion: string | null;
  readonly programVersion: string | null;
  readonly problem: string | null;
  /** The exact command that installs the tested version. */
  readonly install: string | null;
}

export interface GateQuestion {
  readonly callId: string;
  /** Canonical: read, edit, search, exec, fetch, agent, `mcp:<server>/<tool>`, or `other`. */
  readonly tool: string;
  /** The SDK's own name. */
  readonly name: string;
  readonly title: string;
  readonly input: Json;
}

export type GateAnswer =
  { readonly decision: 'allow' } | { readonly decision: 'deny'; readonly reason: string };

type Unnumbered<T> = T extends unknown ? Omit<T, 'seq' | 'at'> : never;
export type AgentFactBody = Unnumbered<AgentFact>;

/** A child process inside the sandbox; the host ends it and all below it with the attempt. */
export interface AgentProcess {
  readonly pid: number | null;
  readonly stdin: unknown;
  readonly stdout: unknown;
  readonly stderr: unknown;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** What the host lends an adapter for one attempt. `Process` is the platform's child process type. */
export interface AgentRunContext<Process = AgentProcess> {
  readonly work: AgentWork;
  readonly workspace: string;
  readonly stateDir: string;
  /** Complete environment for the program; nothing else may be added from the host's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Base URL of the model gateway as the program reaches it from inside the sandbox, and this attempt's token. */
  readonly gateway: {
    readonly baseUrl: string;
    readonly token: string;
    /** Tells the status of each answer to the program, for adapters whose program does not tell it. */
    onStatus?(listener: (status: number) => void): void;
  };
  /** Written to the spool before it returns; `session` facts are on disk when it returns. */
  emit(fact: AgentFactBody): void;
  /** Waits, if need be for days, until it may; anything but an answer means no. */
  gate(question: GateQuestion): Promise<GateAnswer>;
  spawn(
    command: string,
    args: readonly string[],
    options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
  ): Process;
}

export interface AgentOutcome {
  readonly status: 'succeeded' | 'failed' | 'stopped' | 'limit-reached' | 'invalid-output';
  readonly text: string;
  readonly structured: JsonObject | null;
  readonly usage: Usage | null;
  readonly failure: Failure | null;
  readonly retryable: boolean;
}

export interface AgentHandle {
  /** Never rejects. Settles once nothing of the program runs any more. */
  readonly done: Promise<AgentOutcome>;
  /**
   * Gives the agent a message while it works; only of adapters whose steering is `message`. The fact `told` follows once
   * it has become a part of the conversation. Never called twice for one message.
   */
  send?(messageId: string, text: string): void;
  /** Closes the gate first, then interrupts, then kills. Idempotent. */
  cancel(reason: string): Promise<void>;
}

export interface AgentAdapter<Process = AgentProcess> {
  readonly id: string;
  readonly version: string;
  readonly capabilities: AdapterCapabilities;
  /** Conformance cases that it is not held to; none when left out. */
  readonly skipped?: readonly SkippedCase[];
  probe(): Promise<AdapterProbe>;
  /** Whether what is installed now may go on with a session that `token` names. */
  canResume(
    token: ResumeToken,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly failure: Failure }>;
  start(context: AgentRunContext<Process>): AgentHandle;
}
