/** A message for the agent of a step. */
import type { Context } from './context.ts';
import { EXIT, problemToRefusal, refuse } from './refusals.ts';
import { connectToRun } from './run-verbs.ts';

export interface TellOptions {
  readonly step: string;
  readonly text: string;
  /** Stop the agent and go on with the message, instead of telling it while it works. */
  readonly restart: boolean;
}

export async function tellAgent(
  context: Context,
  id: string,
  { step, text, restart }: TellOptions,
): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  const { connection, run } = found.value;
  const told = await connection.client.tell(run.id, step, { text, restart });
  if (!told.ok) return refuse(context, problemToRefusal(told.error));
  if (context.isJson) {
    context.writeJson(told.value);
    return EXIT.done;
  }
  const how = restart ? 'is being stopped, and goes on with the message' : 'is being told';
  context.say(`${step} ${how}. Follow it: ccdash watch ${run.id}`);
  return EXIT.done;
}
