/** JSON-RPC in lines over a program's pipes, as `codex app-server` speaks it. What is no message is passed over. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export type Fields = Readonly<Record<string, unknown>>;

export interface RpcOptions {
  readonly child: ChildProcess;
  /** Its answer is sent; null refuses what nobody here can answer. */
  readonly onRequest: (method: string, params: Fields) => Promise<object | null>;
  readonly onNotification: (method: string, params: Fields) => void;
}

export interface Rpc {
  /** Rejects when the program refuses, or is gone. */
  call(method: string, params: object): Promise<Fields>;
  notify(method: string): void;
}

export function createRpc({ child, onRequest, onNotification }: RpcOptions): Rpc {
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the host spawned it without pipes');
  const waiting = new Map<number, (answer: Fields | Error) => void>();
  let calls = 0;
  let isGone = false;

  function send(message: object): void {
    if (!isGone) stdin?.write(`${JSON.stringify(message)}\n`);
  }
  function gone(): void {
    isGone = true;
    for (const answer of waiting.values()) answer(new Error('the program is gone'));
    waiting.clear();
  }
  // It may go away while something is being written.
  stdin.on('error', gone);
  child.once('error', gone);
  child.once('exit', gone);

  createInterface({ input: stdout }).on('line', (line) => {
    const message = fieldsIn(line);
    if (message === null) return;
    const { id, method } = message;
    if (typeof method === 'string') {
      const params = fieldsOf(message['params']);
      if (typeof id !== 'number' && typeof id !== 'string') {
        onNotification(method, params);
        return;
      }
      void onRequest(method, params).then((result) => {
        const error = { code: -32601, message: `nobody here answers ${method}` };
        send(result === null ? { id, error } : { id, result });
      });
      return;
    }
    const answer = typeof id === 'number' ? waiting.get(id) : undefined;
    if (answer === undefined) return;
    waiting.delete(id as number);
    const { message: why } = fieldsOf(message['error']);
    answer(typeof why === 'string' ? new Error(why) : fieldsOf(message['result']));
  });

  return {
    call: (method, params) =>
      new Promise((resolve, reject) => {
        if (isGone) {
          reject(new Error('the program is gone'));
          return;
        }
        calls += 1;
        waiting.set(calls, (answer) => {
          if (answer instanceof Error) reject(answer);
          else resolve(answer);
        });
        send({ id: calls, method, params });
      }),
    notify: (method) => send({ method }),
  };
}

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function fieldsIn(line: string): Fields | null {
  try {
    return fieldsOf(JSON.parse(line));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
