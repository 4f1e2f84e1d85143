/**
 * Runs inside the sandbox, before the program: joins ports of the sandbox's own loopback to sockets that lead out to
 * the host's proxy and model gateway. Only this one file is mounted there, so it imports nothing of ours, and has no
 * functions with names, for which the bundler would add an import of its own.
 *
 *   inside '[{"port":8118,"socket":"/run/ccdash/proxy"}]' PROGRAM ARG…
 */
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { constants } from 'node:os';

interface Forward {
  readonly port: number;
  readonly socket: string;
}

// The group gets them, the program with it; this process ends when the program does.
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => undefined);

const [, , forwards = '[]', program = '', ...args] = process.argv;
for (const { port, socket } of JSON.parse(forwards) as readonly Forward[]) {
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    const outgoing = connect({ path: socket, allowHalfOpen: true });
    incoming.on('error', () => outgoing.destroy());
    outgoing.on('error', () => incoming.destroy());
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

// Descriptors 3 and 4 are the gate's.
const child = spawn(program, args, { stdio: [0, 1, 2, 3, 4] });
child.on('error', (error) => {
  process.stderr.write(`${program} could not be started: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code, signal) => {
  // The first process of a namespace cannot be killed from inside it: the code says which signal, as shells do.
  process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
});
