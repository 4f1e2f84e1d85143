/** Accepting what comes with the repository, which counts for nothing until its owner has. */
import { userInfo } from 'node:os';
import { askYes } from './ask.ts';
import { connect, findServer } from './connect.ts';
import type { Context } from './context.ts';
import { diffLine } from './diff-line.ts';
import { findProject, makeStateDir } from './project.ts';
import { EXIT, cliRefusal, failureToRefusal, refuse } from './refusals.ts';
import { readServerFile } from './server-file.ts';
import { stopServer } from './stop-server.ts';

export interface TrustOptions {
  readonly isDryRun: boolean;
  readonly isAgreed: boolean;
}

/** The log has one writer: a server in the background is ended for it and started again, with what was accepted. */
export async function trust(context: Context, options: TrustOptions): Promise<number> {
  const project = findProject(context);
  if (!project.ok) return refuse(context, project.error);
  const { dir, stateDir } = project.value;
  const made = makeStateDir(stateDir);
  if (!made.ok) return refuse(context, made.error);
  const { compareTrusted, trustProject } = await import('../app.ts');
  const compared = compareTrusted(dir, stateDir);
  if (!compared.ok) return refuse(context, failureToRefusal(compared.error));
  const { isTrusted, difference, now } = compared.value;
  if (!context.isJson) {
    for (const line of difference) context.say(diffLine(line));
    if (isTrusted) context.say('Nothing to accept: .ccdash/ is as it was accepted last.');
  }
  if (options.isDryRun || isTrusted) {
    if (context.isJson) context.writeJson({ ...now, isTrusted, difference });
    return EXIT.done;
  }
  if (context.isInteractive && !options.isAgreed) {
    if ((await askYes(context, 'accept it?')) === 'no') return EXIT.blocked;
  }
  const server = readServerFile(stateDir);
  const isServed = server !== null && (await findServer(project.value)) !== null;
  if (isServed && !server.isBackground) {
    const detail = `A server of this project runs in a terminal (process ${server.process.pid}) with what was in force when it began.`;
    const hint =
      'End it with Ctrl-C or ccdash stop, accept, and start it again. Work in progress goes on.';
    return refuse(context, cliRefusal('ServerInUse', detail, hint));
  }
  const stopped = await stopServer(project.value);
  if (!stopped.ok) return refuse(context, stopped.error);
  const trusted = await trustProject(dir, stateDir, userInfo().username, now);
  const again = isServed ? await connect(context) : null;
  if (!trusted.ok) return refuse(context, failureToRefusal(trusted.error));
  if (context.isJson) context.writeJson({ ...trusted.value, isTrusted: true, difference });
  else {
    for (const [what, digest] of Object.entries(trusted.value) as [string, string | null][]) {
      context.say(
        { text: 'trusted', style: 'good' },
        `  ${what}  ${digest ?? 'none: the default is in force'}`,
      );
    }
  }
  return again !== null && !again.ok ? refuse(context, again.error) : EXIT.done;
}
