/** What runs an attempt's work inside a host, and what the host lends it. */
import type {
  AgentFactBody,
  AttemptOutcome,
  AttemptSpec,
  GateAnswer,
  GateQuestion,
} from '@ccdash/core';
import type { ProcessRoot } from '../base/process-identity.ts';
import type { AttemptFolder } from './attempt-folder.ts';
import type { Redaction } from './redaction.ts';

/** Why the work is to end before it has ended by itself. The first cause stands. */
export type StopCause =
  | { readonly type: 'asked'; readonly reason: string }
  | { readonly type: 'timed-out' }
  | { readonly type: 'orphaned' }
  | { readonly type: 'stalled' };

export interface WorkContext {
  readonly spec: AttemptSpec;
  readonly folder: AttemptFolder;
  /** A folder of mode 0700 with a short path, of this attempt alone; removed after the end. */
  readonly runtimeDir: string;
  readonly secretByName: Readonly<Record<string, string>>;
  readonly redaction: Redaction;
  /** Of this attempt alone: what its agent shows at the model gateway. Redacted like a secret. */
  readonly modelToken: string;
  /** Aborted with a StopCause as reason. From then on every gate says no. */
  readonly stopping: AbortSignal;
  /** In the spool when it returns; `durable` ones on disk. */
  emit(fact: AgentFactBody, durable: boolean): void;
  /** Between the friendly signal and the one that cannot be refused. */
  readonly graceMs: number;
  /** Asks the engine, and waits for as long as it takes. Time spent here does not count against the time limit. */
  gate(question: GateQuestion): Promise<GateAnswer>;
  /** Calls back with each message of a person, those that came before included, each once. */
  onMessage(take: (messageId: string, text: string) => void): void;
  /** Resolves once the work may call its model: at once, unless its run is paused. */
  notHeld(): Promise<void>;
  /** Ends the work as if the engine had asked, for a limit of the work itself. */
  stop(cause: StopCause): void;
  /** Written to the lease before it returns, so that whoever finds this host dead can kill what it left. */
  addRoot(root: ProcessRoot): void;
}

/** How the work itself ended; the host makes an AttemptOutcome of it. Nothing of it lives when it resolves. */
export type Work = (context: WorkContext) => Promise<AttemptOutcome>;
