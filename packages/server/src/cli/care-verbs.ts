/** Verbs that look after the state folder. They are the only ones beside `trust` that work without a server. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { connect, findServer } from './connect.ts';
import type { Context } from './context.ts';
import { findProject, makeStateDir } from './project.ts';
import { EXIT, cliRefusal, failureToRefusal, refuse } from './refusals.ts';
import { readServerFile } from './server-file.ts';
import { stopServer } from './stop-server.ts';

/** The whole state as one file. A server in the background is ended for it and started again. */
export async function backup(context: Context, file: string): Promise<number> {
  const project = findProject(context);
  if (!project.ok) return refuse(context, project.error);
  const { stateDir } = project.value;
  const made = makeStateDir(stateDir);
  if (!made.ok) return refuse(context, made.error);
  const server = readServerFile(stateDir);
  const isServed = server !== null && (await findServer(project.value)) !== null;
  if (isServed && !server.isBackground) {
    const detail = `A server of this project runs in a terminal (process ${server.process.pid}).`;
    const hint = 'End it with Ctrl-C or ccdash stop, and start it again afterwards.';
    return refuse(context, cliRefusal('ServerInUse', detail, hint));
  }
  const stopped = await stopServer(project.value);
  if (!stopped.ok) return refuse(context, stopped.error);
  const { backupState } = await import('../app.ts');
  const path = resolve(context.cwd, file);
  const written = await backupState(stateDir, path);
  const again = isServed ? await connect(context) : null;
  if (!written.ok) return refuse(context, failureToRefusal(written.error));
  if (again !== null && !again.ok) return refuse(context, again.error);
  const { size, root } = written.value;
  const { size: bytes } = statSync(path);
  if (context.isJson) context.writeJson({ file: path, bytes, entries: size, root });
  else {
    context.say({ text: 'written', style: 'good' }, `  ${path}, ${bytes} bytes`);
    context.say(`  ${size} entries, root ${root}`);
    context.say(
      'It holds the key that signs the log, and what runs wrote: keep it as you keep these.',
    );
  }
  return EXIT.done;
}

export async function restore(context: Context, file: string): Promise<number> {
  const project = findProject(context);
  if (!project.ok) return refuse(context, project.error);
  const { restoreState } = await import('../app.ts');
  const restored = await restoreState(project.value.stateDir, resolve(context.cwd, file));
  if (!restored.ok) return refuse(context, failureToRefusal(restored.error));
  const { size, root } = restored.value;
  if (context.isJson) context.writeJson({ stateDir: project.value.stateDir, entries: size, root });
  else {
    context.say({ text: 'restored', style: 'good' }, `  ${project.value.stateDir}`);
    context.say(`  ${size} entries, root ${root}`);
    context.say('What ran when the backup was made is interrupted: ccdash runs');
  }
  return EXIT.done;
}
