/** A host process with a tiny agent and a network of its own. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { ok } from '@ccdash/core';
import type { Failure, Result } from '@ccdash/core';
import { runAgent } from '../../src/host/agent-work.ts';
import type { Gateway, GatewayOptions } from '../../src/host/agent-work.ts';
import { runCommand } from '../../src/host/command-work.ts';
import { readErrand, runHostProcess } from '../../src/host/host-process.ts';
import { createSandbox } from '../../src/sandbox/create-sandbox.ts';
import { createTinyAdapter } from './tiny-adapter.ts';

const errand = await readErrand(process.stdin);
if (errand !== null) {
  const sandbox = createSandbox({
    path: process.env['PATH'] ?? '',
    nodeProgram: process.execPath,
    hiddenPaths: [homedir(), errand.stateDir],
    insideProgram: fileURLToPath(new URL('../../src/sandbox/inside.ts', import.meta.url)),
    reach: {
      resolve: async () => ['203.0.113.1'],
      dial: () => connect({ host: '127.0.0.1', port: 1 }),
    },
  });
  await runHostProcess({
    errand,
    graceMs: 200,
    work: (context) => {
      const { work } = context.spec;
      return work.kind === 'command'
        ? runCommand(context, work, sandbox)
        : runAgent(context, work, {
            sandbox,
            adapterOf: async (id) => (id === 'tiny' ? createTinyAdapter() : null),
            createGateway: createEchoGateway,
            idleLimitMs: Number(work.ext['idleLimitMs'] ?? 60_000),
          });
    },
    log: (line) => process.stderr.write(`${line}\n`),
    onReady: () => process.stdout.write('ready\n'),
  });
}

/** Answers every request with what it was shown and what it holds itself. */
async function createEchoGateway({
  socketPath,
  token,
  providerSecrets,
  onLimitReached,
}: GatewayOptions): Promise<Result<Gateway, Failure>> {
  const server = createServer((request, response) => {
    if (request.url === '/limit') onLimitReached('the budget is used up');
    const shown = request.headers.authorization === `Bearer ${token}`;
    const keys = Object.keys(providerSecrets).join(',');
    response.end(`${shown ? 'welcome' : 'who are you'} ${keys}`);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return ok({
    usage: () => null,
    turns: () => 0,
    cut: () => server.closeAllConnections(),
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}
