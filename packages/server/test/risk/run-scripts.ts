/**
 * Lets bash run scripts and tells which programs ran, with which arguments. Everything is enclosed: nothing of the
 * machine can be written, there is no network, and the only programs are stubs that write down that they ran.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A program with its arguments. */
export type Call = readonly string[];

const WORD_END = '\u001f';
const CALL_END = '\u001e';

/** Its name and arguments, in one write. */
const STUB = `#!/bin/sh
call=\${0##*/}
for word; do call="$call${WORD_END}$word"; done
printf '%s${CALL_END}' "$call" >> "$CALLS"
`;

/** One bash for each script, as a step of a plan starts it. A loop that damage has made endless runs out of time. */
const DRIVER = `
cd /mnt/run
number=0
while IFS= read -r -u 3 -d '' script; do
  export CALLS=/mnt/calls/$number
  ( ulimit -t 1 -f 64
    exec /bin/bash --norc --noprofile -e -o pipefail -c "$script" ) </dev/null >/dev/null 2>&1 3<&-
  number=$((number + 1))
done 3< /mnt/scripts
`;

/** What each of `scripts` ran. `programs`: names of the stubs. */
export async function runScripts(
  scripts: readonly string[],
  programs: readonly string[],
  jobs: number,
): Promise<readonly (readonly Call[])[]> {
  const size = Math.ceil(scripts.length / jobs);
  const parts = Array.from({ length: jobs }, (_, job) =>
    runPart(scripts.slice(job * size, (job + 1) * size), programs),
  );
  return (await Promise.all(parts)).flat();
}

async function runPart(
  scripts: readonly string[],
  programs: readonly string[],
): Promise<readonly (readonly Call[])[]> {
  const work = mkdtempSync(join(tmpdir(), 'ccdash-fuzz-'));
  try {
    for (const folder of ['bin', 'run', 'calls']) mkdirSync(join(work, folder));
    for (const program of programs) {
      writeFileSync(join(work, 'bin', program), STUB);
      chmodSync(join(work, 'bin', program), 0o755);
    }
    writeFileSync(join(work, 'scripts'), scripts.map((script) => `${script}\0`).join(''));
    await enclosed(work);
    return scripts.map((_, number) => readCalls(join(work, 'calls', String(number))));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function enclosed(work: string): Promise<void> {
  const args = [
    ...['--ro-bind', '/', '/', '--tmpfs', '/tmp', '--proc', '/proc', '--dev', '/dev'],
    ...['--bind', work, '/mnt', '--unshare-all', '--die-with-parent', '--clearenv'],
    ...['--setenv', 'PATH', '/mnt/bin', '--setenv', 'FUNCNEST', '20'],
    ...['/bin/bash', '--norc', '--noprofile', '-c', DRIVER],
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('bwrap', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.on('error', reject);
    child.on('close', (exitCode) => {
      if (exitCode === 0) resolve();
      else reject(new Error(`the enclosed bash ended with ${String(exitCode)}: ${said}`));
    });
  });
}

function readCalls(file: string): readonly Call[] {
  if (!existsSync(file)) return [];
  const calls = readFileSync(file, 'utf8').split(CALL_END);
  return calls.slice(0, -1).map((call) => call.split(WORD_END));
}
