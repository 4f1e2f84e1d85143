/** The host process: reads its errand on stdin, says `ready` on stdout, and ends when its work is done. */
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { createModelGateway } from './agents/gateway/model-gateway.ts';
import { createAdapters } from './agents/registry.ts';
import { runAgent } from './host/agent-work.ts';
import { runCommand } from './host/command-work.ts';
import { readErrand, runHostProcess } from './host/host-process.ts';
import { createSandbox } from './sandbox/create-sandbox.ts';
import { INTERNET } from './sandbox/egress-proxy.ts';
import { closeInheritedDescriptors } from './sandbox/inherited-descriptors.ts';

/** Longer than any pause of a model that still works. */
const IDLE_LIMIT_MS = 15 * 60_000;
const GRACE_MS = 5_000;

// A folder that was open around the server would lead every step out of its sandbox.
closeInheritedDescriptors();
const errand = await readErrand(process.stdin);
if (errand !== null) {
  const sandbox = createSandbox({
    path: process.env['PATH'] ?? '',
    nodeProgram: process.execPath,
    hiddenPaths: [homedir(), errand.stateDir],
    insideProgram: insideProgram(),
    reach: INTERNET,
  });
  const adapters = createAdapters();
  await runHostProcess({
    errand,
    graceMs: GRACE_MS,
    work: (context) => {
      const { work } = context.spec;
      if (work.kind === 'command') return runCommand(context, work, sandbox);
      return runAgent(context, work, {
        sandbox,
        adapterOf: (id) => adapters.adapterOf(id),
        createGateway: createModelGateway,
        idleLimitMs: IDLE_LIMIT_MS,
      });
    },
    log: (line) => process.stderr.write(`${new Date().toISOString()} ${line}\n`),
    onReady: () => process.stdout.write('ready\n'),
  });
}

/** Beside the bundle, or among the sources. */
function insideProgram(): string {
  const bundled = import.meta.url.endsWith('.js');
  return fileURLToPath(new URL(bundled ? 'inside.js' : 'sandbox/inside.ts', import.meta.url));
}
