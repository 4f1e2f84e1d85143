import type { ScriptTurn } from '../script/agent-script.ts';
import type { ConversationMessage } from '../script/next-turn.ts';

/** A call as its protocol has it, for a model that follows a script. */
export interface ScriptedCall {
  readonly isStream: boolean;
  /** The answer that a schema asks for comes as words, not as a call. */
  readonly answersInWords: boolean;
  /** The conversation so far, in the words of `next-turn.ts`. */
  readonly messages: readonly ConversationMessage[];
  readonly reply: (turn: ScriptTurn) => ScriptedReply;
}

/** One turn in the words of the protocol, whole and streamed. */
export interface ScriptedReply {
  readonly whole: object;
  /** Server-sent events; a model that stalls sends the first only. */
  readonly events: readonly string[];
}

/** Reads a body; the text says what is wrong with it. */
export type ReadScriptedCall = (body: unknown) => ScriptedCall | string;
