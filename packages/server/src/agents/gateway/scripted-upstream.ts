/** A model that follows a script, in the provider's wire protocol: streaming or not. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { SCRIPT_END } from '../script/agent-script.ts';
import type { AgentScript, ScriptBreak, ScriptTurn } from '../script/agent-script.ts';
import { firstPrompt, nextTurn } from '../script/next-turn.ts';
import { waitForFile } from '../script/wait-for-file.ts';
import { readChatCall } from './chat-wire.ts';
import { readMessagesCall } from './messages-wire.ts';
import type { Protocol } from './protocol.ts';
import { readResponsesCall } from './responses-wire.ts';
import type { ReadScriptedCall, ScriptedCall, ScriptedReply } from './scripted-wire.ts';
import { FINAL, sendModelError } from './upstream.ts';
import type { ModelCall, Upstream } from './upstream.ts';

export const READERS: Readonly<Record<Protocol, ReadScriptedCall>> = {
  messages: readMessagesCall,
  responses: readResponsesCall,
  chat: readChatCall,
};

/** Stateless but for errors and breaks that a script wants so many times. */
export function createScriptedUpstream(script: AgentScript): Upstream {
  const troublesByTurn = new Map<string, number>();

  /** Whether a turn has trouble once more before it goes on. */
  function isDue(key: string, times: number | null): boolean {
    const seen = troublesByTurn.get(key) ?? 0;
    if (seen >= (times ?? Infinity)) return false;
    troublesByTurn.set(key, seen + 1);
    return true;
  }

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
    const { error, breaks } = turn;
    if (error !== null && isDue(`${position.key} error`, error.times)) {
      const { status, type, message, retryAfterS, final } = error;
      const headers = {
        ...(retryAfterS === null ? {} : { 'retry-after': String(retryAfterS) }),
        ...(final ? FINAL : {}),
      };
      sendModelError(call.response, call.provider, status, type, message, headers);
      return;
    }
    if (breaks !== null && isDue(`${position.key} breaks`, breaks.times)) {
      await BREAKS[breaks.how](call, asked);
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
    call.onData(bytes);
    call.response.write(bytes);
  }
  call.response.end();
}

function sendJson(call: ModelCall, value: object): void {
  const body = JSON.stringify(value);
  call.startMeter?.().readBody(body);
  call.onData(Buffer.from(body));
  call.response.writeHead(200, { 'content-type': 'application/json' });
  call.response.end(body);
}

const WORDS = 'and so on, ';
const SAYS_MUCH: ScriptTurn = { ...SCRIPT_END, say: WORDS.repeat(100_000) };

/** Answers that are none, as services and what lies between have been seen to give them. */
const BREAKS: Readonly<
  Record<ScriptBreak['how'], (call: ModelCall, asked: ScriptedCall) => unknown>
> = {
  cut: async (call, asked) => {
    const say = begin(call);
    await say(asked.reply(SCRIPT_END).events[0] ?? '');
    call.response.destroy();
  },
  nonsense: async (call, { isStream }) => {
    const type = isStream ? 'text/event-stream' : 'application/json';
    await begin(call, type)(isStream ? 'event: {{{\ndata: <html>\n\ndata: 7 of 9\n\n' : '<html>');
    call.response.end();
  },
  endless: async (call, asked) => {
    const say = begin(call);
    const { events } = asked.reply(SAYS_MUCH);
    const words = events.findIndex((event) => event.includes(WORDS));
    for (const event of events.slice(0, words)) await say(event);
    for (;;) await say(events[words] ?? '');
  },
};

/** Sends parts of an answer, each once the one before has gone. Rejects when nobody listens any more. */
function begin(
  { response, signal, startMeter, onData }: ModelCall,
  type = 'text/event-stream',
): (part: string) => Promise<void> {
  const meter = startMeter?.();
  response.writeHead(200, { 'content-type': type });
  return async (part) => {
    const bytes = Buffer.from(part);
    meter?.readEvents(bytes);
    onData(bytes);
    signal.throwIfAborted();
    if (!response.write(bytes)) await once(response, 'drain', { signal });
  };
}

/** Never resolves. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('the call was broken off');
}
