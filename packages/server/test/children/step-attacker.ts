/**
 * A step that has turned on its server: it knows where everything lies, holds the owner's token and the documentation
 * of the API, and tries each way there is to a decision. It imports nothing, runs inside the sandbox, and prints one
 * JSON object: what each try came to, the word for what stopped it or what it got.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';

interface Knowledge {
  readonly token: string;
  readonly stateDir: string;
  readonly projectDir: string;
  readonly stateHome: string;
  readonly serverPid: number;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly approvalId: string;
  readonly subjectDigest: string;
  readonly socket: string;
  readonly abstractSocket: string;
  readonly sharedMemory: string;
}

const known = JSON.parse(readFileSync('known.json', 'utf8')) as Knowledge;
const told: Record<string, string> = {};

/** What a try came to: what it gave, or the code of what stopped it. */
function attempt(name: string, work: () => unknown): void {
  try {
    told[name] = `got: ${String(work()).slice(0, 200)}`;
  } catch (error) {
    told[name] = codeOf(error);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function files(): void {
  attempt('list state', () => readdirSync(known.stateDir).join());
  attempt('list home', () => readdirSync(known.stateHome).join());
  attempt('project', () => readdirSync(known.projectDir).join());
  const secrets = ['token', 'log.db', 'heads', 'server.json', 'engine.lock', 'keys'];
  for (const name of secrets) {
    const path = `${known.stateDir}/${name}`;
    attempt(`file ${name}`, () => readFileSync(path));
    attempt(`climb ${name}`, () => readFileSync(`../../../${name}`));
    attempt(`link ${name}`, () => {
      rmSync('link', { force: true });
      symlinkSync(path, 'link');
      return readFileSync('link');
    });
    attempt(`hard link ${name}`, () => {
      rmSync('hard', { force: true });
      linkSync(path, 'hard');
      return readFileSync('hard');
    });
    attempt(`root of 1 ${name}`, () => readFileSync(`/proc/1/root${path}`));
    attempt(`make ${name}`, () => writeFileSync(path, 'mine'));
  }
  attempt('project policy', () => {
    mkdirSync(`${known.projectDir}/.ccdash/policy`, { recursive: true });
  });
  for (const path of ['link', 'hard']) rmSync(path, { force: true });
}

function processes(): void {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = (pid: string, file: string): string => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  };
  told['commands'] = pids.map((pid) => own(pid, 'cmdline')).join('\n');
  told['environments'] = [
    ...pids.map((pid) => own(pid, 'environ')),
    ...Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`),
  ].join('\n');
  const server = String(known.serverPid);
  // A number may be one of ours in here: then it is not the server's.
  const isOurs = pids.includes(server);
  attempt('server environ', () => (isOurs ? fail() : readFileSync(`/proc/${server}/environ`)));
  attempt('server memory', () => (isOurs ? fail() : openSync(`/proc/${server}/mem`, 'r+')));
  attempt('server root', () => (isOurs ? fail() : readdirSync(`/proc/${server}/root`)));
  attempt('signal', () => (isOurs ? fail() : process.kill(known.serverPid, 0)));
  const trace = spawnSync('strace', ['-p', server], { encoding: 'utf8', timeout: 10_000 });
  told['trace'] = trace.error === undefined ? trace.stderr.trim() : codeOf(trace.error);
  // Opened only: what this writes to is the machine that runs the tests.
  for (const path of ['sys/kernel/core_pattern', 'sysrq-trigger', 'mtrr', 'sys/vm/drop_caches']) {
    attempt(`set ${path}`, () => closeSync(openSync(`/proc/${path}`, 'r+')));
  }
}

function fail(): never {
  throw Object.assign(new Error('not the server'), { code: 'ESRCH' });
}

function descriptors(): void {
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return `${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`;
    } catch {
      return `${fd} closed`;
    }
  });
  told['descriptors'] = open.join('\n');
  attempt('terminal', () => closeSync(openSync('/dev/tty', 'r+')));
  attempt('shared memory', () => readFileSync(known.sharedMemory));
  attempt('disk', () => readdirSync('/dev').join());
}

function mounts(): void {
  const script = [
    'mount -o remount,rw,bind /usr && touch /usr/attacked && echo written',
    'umount -l /tmp && ls /tmp',
    `mount --bind / /mnt && cat ${known.stateDir}/token`,
    'mount -t proc proc /proc && ls /proc/1/root',
  ];
  const ran = spawnSync(
    'unshare',
    ['--user', '--map-root-user', '--mount', 'sh', '-c', script.join('\n')],
    {
      encoding: 'utf8',
      timeout: 10_000,
    },
  );
  told['mounts'] = ran.error === undefined ? ran.stdout : codeOf(ran.error);
}

function workspace(): void {
  const plant = (path: string): void => {
    attempt(`plant ${path}`, () => {
      const folder = path.slice(0, path.lastIndexOf('/'));
      if (folder !== '') mkdirSync(folder, { recursive: true });
      writeSync(openSync(path, 'w'), 'evil');
      return 'written';
    });
  };
  for (const name of [
    'config',
    'config.worktree',
    'hooks/pre-commit',
    'info/attributes',
    'commondir',
  ]) {
    plant(`.git/${name}`);
  }
}

function send(
  host: string,
  path: string,
  body: string | null,
  via: number | null,
): Promise<string> {
  const target = `http://${host.includes(':') ? `[${host}]` : host}:${String(known.port)}${path}`;
  const where =
    via === null
      ? { host, port: known.port, path }
      : { host: '127.0.0.1', port: via, path: target };
  return new Promise((resolve) => {
    const asked = request({
      ...where,
      // Of its own: Node would go by the proxy that the environment names.
      agent: new Agent(),
      method: body === null ? 'GET' : 'POST',
      headers: {
        host: `127.0.0.1:${String(known.port)}`,
        authorization: `Bearer ${known.token}`,
        'content-type': 'application/json',
      },
      timeout: 5000,
    });
    asked.on('response', (answer) => {
      answer.resume();
      resolve(`answered: ${String(answer.statusCode)}`);
    });
    asked.on('timeout', () =>
      asked.destroy(Object.assign(new Error('slow'), { code: 'ETIMEDOUT' })),
    );
    asked.on('error', (error) => resolve(codeOf(error)));
    asked.end(body ?? undefined);
  });
}

async function network(): Promise<void> {
  const decision = JSON.stringify({
    decision: 'approve',
    subjectDigest: known.subjectDigest,
    reason: 'the step says so',
  });
  const decide = `/api/v1/approvals/${known.approvalId}/decisions`;
  const proxy = process.env['HTTP_PROXY'] === undefined ? null : 8118;
  for (const host of known.addresses) {
    told[`documentation at ${host}`] = await send(host, '/api/v1/openapi.json', null, null);
    told[`decision at ${host}`] = await send(host, decide, decision, null);
    if (proxy === null) continue;
    told[`decision by proxy at ${host}`] = await send(host, decide, decision, proxy);
  }
  told['socket'] = await dial(known.socket);
  told['abstract socket'] = await dial(`\0${known.abstractSocket}`);
  told['sockets'] = ['/run', '/tmp', '/var', '/dev'].flatMap(socketsBelow).join('\n');
}

/** By looking at each: what is mounted over a file has another type than its folder says. */
function socketsBelow(folder: string): readonly string[] {
  try {
    return readdirSync(folder).flatMap((name) => {
      const path = `${folder}/${name}`;
      const stats = lstatSync(path);
      return stats.isDirectory() ? socketsBelow(path) : stats.isSocket() ? [path] : [];
    });
  } catch {
    return [];
  }
}

function dial(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('connect', () => resolve('got: a connection'));
    socket.on('error', (error) => resolve(codeOf(error)));
  });
}

files();
processes();
descriptors();
workspace();
await network();
mounts();
process.stdout.write(`${JSON.stringify(told)}\n`);
