import { setTimeout as wait } from 'node:timers/promises';
import type { Result } from '@ccdash/api/client';
import { err, ok } from '@ccdash/api/client';
import { isAlive } from '../base/process-identity.ts';
import { findServer } from './connect.ts';
import type { Project } from './project.ts';
import { cliRefusal, problemToRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';
import { readServerFile } from './server-file.ts';

const STOP_PATIENCE_MS = 30_000;
const POLL_MS = 50;

/** Ends the project's server and waits until its process is gone; false when none lives. Work in progress goes on. */
export async function stopServer(project: Project): Promise<Result<boolean, CliRefusal>> {
  const file = readServerFile(project.stateDir);
  const connection = await findServer(project);
  if (file === null || connection === null) return ok(false);
  const asked = await connection.client.shutdown();
  if (!asked.ok) return err(problemToRefusal(asked.error));
  const deadline = performance.now() + STOP_PATIENCE_MS;
  while (isAlive(file.process)) {
    if (performance.now() > deadline) {
      const detail = `The server, process ${file.process.pid}, has not ended.`;
      const hint = `End it by hand: kill ${file.process.pid}. Nothing that was recorded is lost.`;
      return err(cliRefusal('StateUnusable', detail, hint));
    }
    await wait(POLL_MS);
  }
  return ok(true);
}
