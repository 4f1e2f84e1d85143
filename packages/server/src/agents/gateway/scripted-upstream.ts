/** A model that follows a script, in the provider's wire protocol: streaming or not. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentScript, ScriptTurn } from '../script/agent-script.ts';
import { firstPrompt, nextTurn } from '../script/next-turn.ts';
import { waitForFile } from '../script/wait-for-file.ts';
import { readChatCall } from './chat-wire.ts';
import { readMessagesCall } from './messages-wire.ts';
import type { Protocol } from './protocol.ts';
import { readResponsesCall } from './responses-wire.ts';
import type { ReadScriptedCall, ScriptedCall, ScriptedReply } from './scripted-wire.ts';
import { sendModelError } from './upstream.ts';
import type { ModelCall, Upstream } from './upstream.ts';

const READERS: Readonly<Record<Protocol, ReadScriptedCall>> = {
  messages: readMessagesCall,
  responses: readResponsesCall,
  chat: readChatCall,
};

/** Stateless but for errors that a script wants so many times. */
export function createScriptedUpstream(script: AgentScript): Upstream {
  const errorsByTurn = new Map<string, number>();

  return async (call) => {
    if (call.path.startsWith('/v1/models')) {
      sendJson(call, { object: 'list', data: [], models: [], has_more: false });
      return;
    }
    const refuse = (message: string): void =>
      sendModelError(call.response, call.provider, 400, 'invalid_request_error', message);
    const asked = readCall(call);
    if (typeof asked === 'string') {
      refuse(asked);
      return;
    }
    if (call.generates === null) {
      sendJson(call, { input_tokens: 100 });
      return;
    }
    const position = nextTurn(script, asked.messages);
    if (position === null) {
      const prompt = JSON.stringify(firstPrompt(asked.messages).slice(0, 80));
      refuse(`${script.file} has no script whose \`when\` is in the prompt ${prompt}`);
      return;
    }
    const { turn } = position;
    if (turn.delayMs > 0) await sleep(turn.delayMs, undefined, { signal: call.signal });
    if (turn.waitFor !== null) await waitForFile(turn.waitFor, call.signal);
    const errors = errorsByTurn.get(position.key) ?? 0;
    if (turn.error !== null && errors < (turn.error.times ?? Infinity)) {
      errorsByTurn.set(position.key, errors + 1);
      const { status, type, message } = turn.error;
      sendModelError(call.response, call.provider, status, type, message);
      return;
    }
    const reply = asked.reply(turn);
    if (asked.isStream) await stream(call, reply, turn);
    else await answer(call, reply, turn);
  };
}

function readCall({ body, generates }: ModelCall): ScriptedCall | string {
  try {
    return READERS[generates ?? 'messages'](JSON.parse(body.toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return `the body is not JSON: ${error.message}`;
    throw error;
  }
}

async function answer(call: ModelCall, { whole }: ScriptedReply, turn: ScriptTurn): Promise<void> {
  if (turn.stall) await untilAborted(call.signal);
  sendJson(call, whole);
}

async function stream(call: ModelCall, { events }: ScriptedReply, turn: ScriptTurn): Promise<void> {
  call.response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
  });
  const meter = call.startMeter?.();
  for (const [index, event] of events.entries()) {
    if (index === 1 && turn.stall) await untilAborted(call.signal);
    const bytes = Buffer.from(event);
    meter?.readEvents(bytes);
    call.onActivity();
    call.response.write(bytes);
  }
  call.response.end();
}

function sendJson(call: ModelCall, value: object): void {
  const body = JSON.stringify(value);
  call.startMeter?.().readBody(body);
  call.onActivity();
  call.response.writeHead(200, { 'content-type': 'application/json' });
  call.response.end(body);
}

/** Never resolves. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('the call was broken off');
}
