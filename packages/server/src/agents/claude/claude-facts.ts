/** The program's messages, as facts that every adapter shares. Message types that mean nothing here are passed over. */
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import type { AgentFactBody, Json } from '@ccdash/core';
import { callSummary } from './claude-summary.ts';
import { ANSWER_TOOL, toolOfName, toolTitle } from '../tools/tool-names.ts';

export interface FactReader {
  /** Facts of one message, in order. */
  read(message: SDKMessage): readonly AgentFactBody[];
  /** Ends of the calls that nobody has heard of again. */
  rest(): readonly AgentFactBody[];
}

export interface FactReaderOptions {
  readonly workspace: string;
  /** Whether the gate has refused a call. */
  readonly isDenied: (callId: string) => boolean;
  /** Whether calls that end badly now were cut off by us. */
  readonly isStopped: () => boolean;
}

export function createFactReader({
  workspace,
  isDenied,
  isStopped,
}: FactReaderOptions): FactReader {
  /** Names of the tools, by call. */
  const openCalls = new Map<string, string>();
  /** Callers of subagents, outermost first, by the call that started the agent. */
  const pathByCall = new Map<string, readonly string[]>();

  function pathOf(parent: string | null): readonly string[] {
    return parent === null ? [] : (pathByCall.get(parent) ?? [parent]);
  }

  function readAssistant(message: Extract<SDKMessage, { type: 'assistant' }>): AgentFactBody[] {
    const agentPath = pathOf(message.parent_tool_use_id);
    const facts: AgentFactBody[] = [];
    for (const block of message.message.content) {
      if (block.type === 'text' && block.text.trim() !== '') {
        // A point inside a subagent is none to go back to.
        const checkpoint = agentPath.length === 0 ? message.uuid : null;
        facts.push({ type: 'message', text: block.text, checkpoint, agentPath });
      } else if (block.type === 'tool_use' && block.name !== ANSWER_TOOL) {
        const { id: callId, name } = block;
        const input = block.input as Json;
        openCalls.set(callId, name);
        pathByCall.set(callId, [...agentPath, callId]);
        const title = toolTitle(name, input, workspace);
        const tool = toolOfName(name);
        facts.push({ type: 'tool-started', callId, tool, name, title, input, agentPath });
      }
    }
    return facts;
  }

  function readUser(message: Extract<SDKMessage, { type: 'user' }>): AgentFactBody[] {
    const { content } = message.message;
    if (typeof content === 'string') return [];
    return content.flatMap((block): AgentFactBody[] => {
      if (block.type !== 'tool_result') return [];
      const callId = block.tool_use_id;
      const name = openCalls.get(callId);
      if (name === undefined) return [];
      openCalls.delete(callId);
      const failed = isStopped() ? 'interrupted' : 'error';
      const status = isDenied(callId) ? 'denied' : block.is_error === true ? failed : 'ok';
      const checkpoint = message.parent_tool_use_id === null ? (message.uuid ?? null) : null;
      const isError = block.is_error === true;
      const text = textOf(block.content);
      const summary = callSummary(name, text, message.tool_use_result, isError, workspace);
      return [{ type: 'tool-ended', callId, status, ...summary, checkpoint }];
    });
  }

  return {
    read: (message) => {
      if (message.type === 'assistant') return readAssistant(message);
      if (message.type === 'user') return readUser(message);
      if (message.type !== 'system') return [];
      if (message.subtype === 'api_retry') {
        const { attempt, max_retries: tries, retry_delay_ms: delayMs, error_status } = message;
        const what = error_status === null ? 'did not answer' : `answered ${error_status}`;
        const seconds = Math.ceil(delayMs / 1000);
        const text = `the model ${what}; retry ${attempt} of ${tries} in ${seconds} s`;
        return [{ type: 'notice', level: 'warn', text }];
      }
      if (message.subtype === 'compact_boundary') {
        const text = 'the agent has summed up its conversation to make room';
        return [{ type: 'notice', level: 'info', text }];
      }
      return [];
    },
    rest: () => {
      const status = isStopped() ? 'interrupted' : 'unknown';
      const facts = [...openCalls.keys()].map(
        (callId) =>
          ({
            type: 'tool-ended',
            callId,
            status,
            summary: 'it ended without a result; some of it may have taken effect',
            checkpoint: null,
          }) as const,
      );
      openCalls.clear();
      return facts;
    },
  };
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((block: { readonly text?: unknown }) => (typeof block.text === 'string' ? block.text : ''))
    .join('\n');
}
