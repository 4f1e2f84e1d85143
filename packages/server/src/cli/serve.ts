/** The server in this process, until somebody ends it. */
import { spawn } from 'node:child_process';
import { findServer } from './connect.ts';
import type { Connection } from './connect.ts';
import type { Context } from './context.ts';
import { findProject, makeStateDir } from './project.ts';
import { EXIT, cliRefusal, failureToRefusal, problemToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';
import { removeServerFile, writeServerFile } from './server-file.ts';
import { boundServerLog, serverLogPath } from './server-log.ts';
import { stopServer } from './stop-server.ts';

const LOG_LOOK_MS = 60_000;

export interface ServeOptions {
  /** null: 127.0.0.1, or wherever the server that lives listens. */
  readonly host: string | null;
  /** null: any that is free. */
  readonly port: number | null;
  readonly open: boolean;
  /** Started by another verb: nobody reads what it says but as a log. */
  readonly background: boolean;
}

export async function serve(context: Context, options: ServeOptions): Promise<number> {
  const found = findProject(context);
  if (!found.ok) return refuse(context, found.error);
  const { dir: projectDir, stateHome, stateDir } = found.value;
  const made = makeStateDir(stateDir);
  if (!made.ok) return refuse(context, made.error);
  const living = await findServer(found.value);
  if (living !== null) {
    const refusal = listensElsewhere(living.url, options);
    return refusal === null ? greetAgain(context, living, options) : refuse(context, refusal);
  }
  const { startServer } = await import('../app.ts');
  const { host, port } = options;
  const listen = { host: host ?? '127.0.0.1', port: port ?? 0 };
  const say = (line: string): void => context.warn(line);
  const started = await startServer({ projectDir, stateHome, ...listen, say });
  if (!started.ok) return refuse(context, failureToRefusal(started.error));
  const server = started.value;
  const stop = (): void => {
    void server.close();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  writeServerFile(stateDir, server.url, options.background);
  const bounding = setInterval(() => boundServerLog(serverLogPath(stateDir)), LOG_LOOK_MS);
  bounding.unref();
  try {
    // A link in the log would be a credential on disk.
    if (options.background) context.say(`Serving ${projectDir} at ${server.url}`);
    else greet(context, projectDir, server.url, server.loginUrl);
    if (options.open) openBrowser(context, server.loginUrl);
    await server.closed;
  } finally {
    clearInterval(bounding);
    removeServerFile(stateDir);
  }
  return EXIT.done;
}

/** A host or a port that was asked for counts; the server that lives cannot change its own. */
function listensElsewhere(url: string, { host, port }: ServeOptions): CliRefusal | null {
  const living = new URL(url);
  const name = living.hostname.replace(/^\[|\]$/g, '');
  const isOther = (port !== null && port !== Number(living.port)) || (host ?? name) !== name;
  if (!isOther) return null;
  const detail = `A server of this project runs already, at ${url}: it does not change where it listens.`;
  return cliRefusal(
    'UsageError',
    detail,
    'End it first: ccdash stop. Or leave --host and --port out.',
  );
}

function greet(context: Context, projectDir: string, url: string, loginUrl: string): void {
  if (context.isJson) {
    context.writeJson({ project: projectDir, url, loginUrl });
    return;
  }
  context.say({ text: 'CCDash', style: 'bold' }, ` serves ${projectDir} at ${url}`);
  context.say('  Open once, within 15 minutes: ', loginUrl);
  context.say({ text: '  Ctrl-C ends it; work in progress goes on by itself.', style: 'quiet' });
}

async function greetAgain(
  context: Context,
  { client, project, url }: Connection,
  options: ServeOptions,
): Promise<number> {
  if (options.background) return EXIT.done;
  const login = await client.createLogin();
  if (!login.ok) return refuse(context, problemToRefusal(login.error));
  if (options.open) openBrowser(context, login.value.url);
  if (context.isJson) {
    context.writeJson({ project: project.dir, url, loginUrl: login.value.url });
    return EXIT.done;
  }
  context.say(`A server of ${project.dir} runs already, at ${url}`);
  context.say('  Open once, within 15 minutes: ', login.value.url);
  context.say({ text: '  To end it: ccdash stop', style: 'quiet' });
  return EXIT.done;
}

function openBrowser(context: Context, url: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(program, [url], { detached: true, stdio: 'ignore' });
  child.on('error', (error) => {
    context.warn(`No browser was opened (${error.message}). Open the link by hand.`);
  });
  child.unref();
}

export async function stop(context: Context): Promise<number> {
  const project = findProject(context);
  if (!project.ok) return refuse(context, project.error);
  const made = makeStateDir(project.value.stateDir);
  if (!made.ok) return refuse(context, made.error);
  const stopped = await stopServer(project.value);
  if (!stopped.ok) return refuse(context, stopped.error);
  if (context.isJson) context.writeJson({ stopped: stopped.value });
  else if (stopped.value) {
    context.say('The server has ended. Work in progress goes on by itself, for a while.');
  } else context.say('No server of this project runs.');
  return EXIT.done;
}
