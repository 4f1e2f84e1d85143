/**
 * The engine's side of hosts in a process of its own, to be killed at any moment.
 *
 *   host-engine STATE EPOCH '{"launch": SPEC | null, "follow": REF, "after": N}'
 *
 * Prints a JSON line for each fact, then `{"done": …}`; takes JSON lines `{"answer": "g1"}` and `{"stop": "why"}`.
 */
import { createInterface } from 'node:readline';

import type { AttemptRef, AttemptSpec } from '@ccdash/core';
import { openHosts } from '../host-fixture.ts';

interface Errand {
  readonly launch: AttemptSpec | null;
  readonly follow: AttemptRef;
  readonly after: number;
}

const [, , stateDir = '', epoch = '1', text = '{}'] = process.argv;
const errand = JSON.parse(text) as Errand;
const say = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

const hosts = openHosts(stateDir, Number(epoch), () => say({ displaced: true }));
if (errand.launch !== null) await hosts.launch(errand.launch, {});
else say({ standing: await hosts.find(errand.follow) });
const following = hosts.follow(errand.follow, errand.after, async (facts) => {
  for (const fact of facts) say(fact);
});
createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line) as { readonly answer?: string; readonly stop?: string };
  if (order.answer !== undefined) following.answer(order.answer, 'allow', '');
  if (order.stop !== undefined) following.stop(order.stop);
});
say({ done: await following.done });
process.exit(0);
