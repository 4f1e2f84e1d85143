import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { SandboxSpec } from '@ccdash/core';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Enclosure, ProcessEnd } from '../base/enclosure.ts';
import { createSandbox, probeBubblewrap } from './create-sandbox.ts';

const path = process.env['PATH'] ?? '';
let webPort = 0;
const web = createServer((asked, response) => response.end(`page of ${asked.headers.host ?? ''}`));
beforeAll(async () => {
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  webPort = (web.address() as AddressInfo).port;
});
afterAll(() => void web.close());

let stateDir = '';
let workspace = '';
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'ccdash-sandbox-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  workspace = join(stateDir, 'runs', 'work');
  mkdirSync(workspace, { recursive: true });
  writeFileSync(join(stateDir, 'log.db'), 'the log');
  execFileSync('git', ['init', '-q', workspace]);
  writeFileSync(join(workspace, 'file'), 'content\n');
});

const SEALED: SandboxSpec = { kind: 'bubblewrap', write: [], readPaths: [], network: 'none' };

async function enclose(change: Partial<SandboxSpec> = {}): Promise<Enclosure> {
  const sandbox = createSandbox({
    path,
    nodeProgram: process.execPath,
    hiddenPaths: [homedir(), stateDir],
    insideProgram: fileURLToPath(new URL('inside.ts', import.meta.url)),
    reach: {
      resolve: async () => ['93.184.216.34'],
      dial: () => connect(webPort, '127.0.0.1'),
    },
  });
  const runtimeDir = mkdtempSync(join(tmpdir(), 'ccdash-'));
  const enclosed = await sandbox.enclose({
    spec: { ...SEALED, ...change },
    workspace,
    writePaths: [],
    runtimeDir,
    gatewaySocket: null,
  });
  if (!enclosed.ok) throw new Error(enclosed.error.message);
  onTestFinished(async () => {
    await enclosed.value.close();
    rmSync(runtimeDir, { recursive: true });
  });
  return enclosed.value;
}

interface Ran extends ProcessEnd {
  readonly printed: string;
}

async function run(script: string, change: Partial<SandboxSpec> = {}): Promise<Ran> {
  const enclosure = await enclose(change);
  const process = enclosure.spawn(['bash', '-c', `{ ${script}\n} 2>&1`], {
    cwd: workspace,
    env: { ...enclosure.env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed = text(process.child.stdout as Readable);
  await process.root;
  process.go();
  return { ...(await process.ended), printed: await printed };
}

describe('what a program sees', () => {
  test("[SB1] of variables: those it is given, and nobody else's anywhere in /proc", async () => {
    process.env['CCDASH_TEST_LEAK'] = 'leak-4711';
    onTestFinished(() => {
      delete process.env['CCDASH_TEST_LEAK'];
    });
    const { printed } = await run(
      'env; cat /proc/1/environ /proc/$PPID/environ /proc/[0-9]*/environ; cat /proc/[0-9]*/cmdline | tr "\\0" " "',
    );
    expect(printed).toContain('HOME=/tmp/home');
    expect(printed).not.toContain('leak-4711');
    expect(printed.match(/^[A-Z]+(?==)/gm)?.sort()).toEqual(
      expect.not.arrayContaining(['USER', 'LOGNAME', 'SHELL']),
    );
  });

  test('[SB2] of the network: nothing, not even the loopback of the machine', async () => {
    const { printed } = await run(
      `curl -sS http://127.0.0.1:${webPort}; curl -sS http://example.com; cat /proc/net/dev`,
    );
    expect(printed).toMatch(/connect to 127[^]*resolve host/);
    expect(printed).not.toMatch(/eth0|wlan/);
  });

  test('[SB3] of files: the system and its workspace, neither the home nor the state nor keys', async () => {
    const { printed } = await run(
      [
        'cat file',
        `ls -A ${stateDir} ${join(stateDir, 'runs')}`,
        `cat ${join(stateDir, 'log.db')}`,
        `ls -A ${join(homedir(), '.ssh')}`,
        'cat /etc/shadow',
        'ls -A /home /mnt /srv /boot /var/lib',
        'ps ax -o comm= | grep -c node',
      ].join('\n'),
    );
    expect(printed).toContain('content');
    expect(printed).toContain(`${stateDir}:\nruns\n`);
    expect(printed).not.toContain('the log');
    expect(printed).toContain('/etc/shadow: Permission denied');
    expect(printed).toMatch(/^0$/m);
    for (const hidden of ['/home', '/mnt', '/srv', '/boot', '/var/lib', join(homedir(), '.ssh')]) {
      expect(printed).toContain(`'${hidden}': No such file or directory`);
    }
  });

  test('[SB3] of files: what the server finds on its PATH runs inside as well', async () => {
    const { printed } = await run('git --version && node --version && curl --version');
    expect(printed).toMatch(/git version[^]*v\d+[^]*curl/);
  });

  test('[SB3] a readable path that would open the state or the home is refused', async () => {
    for (const readPath of ['/', stateDir, homedir(), join(stateDir, '..'), 'relative']) {
      await expect(enclose({ readPaths: [readPath] }), readPath).rejects.toThrow('may not show');
    }
    const borrowed = join(stateDir, 'objects');
    mkdirSync(borrowed);
    writeFileSync(join(borrowed, 'pack'), 'borrowed');
    const { printed } = await run(`cat ${join(borrowed, 'pack')}; touch ${borrowed}/x`, {
      readPaths: [borrowed],
    });
    expect(printed).toMatch(/borrowed[^]*Read-only/);
  });
});

describe('what a program writes', () => {
  test('[SB4] is nothing when the scope writes nothing', async () => {
    const { printed } = await run(
      'touch x file .git/x /x /usr/x /etc/x; touch /tmp/x "$HOME/x" && echo private',
    );
    expect(printed.match(/Read-only file system/g)).toHaveLength(6);
    expect(printed).toContain('private');
    expect(existsSync('/tmp/x')).toBe(false);
  });

  test('[SB5] is what lies in the folders of its scope', async () => {
    const { printed } = await run(
      'echo 1 > src/new; mkdir src/deep; echo 2 > README.md; echo 3 > file',
      {
        write: ['src/**'],
      },
    );
    expect(printed.match(/Read-only file system/g)).toHaveLength(2);
    expect(readFileSync(join(workspace, 'src/new'), 'utf8')).toBe('1\n');
    expect(existsSync(join(workspace, 'README.md'))).toBe(false);
  });

  test('[SB6] stays inside, whatever links it makes or finds', async () => {
    const outside = join(stateDir, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, join(workspace, 'found'));
    const script = `echo x > found/x; ln -s ${outside} made; echo x > made/x; ln -s / root; echo x > root/etc/x; mv .git moved`;
    await run(script, { write: ['**'] });
    expect(existsSync(join(outside, 'x'))).toBe(false);
    expect(existsSync('/etc/x')).toBe(false);
    expect(existsSync(join(workspace, '.git'))).toBe(true);
  });

  test('[SB7] can be committed, but makes git run nothing elsewhere', async () => {
    const script = [
      'git add file && git -c user.name=a -c user.email=a@b commit -qm one && git log --format=%s',
      'git config core.fsmonitor ./evil',
      'echo evil > .git/hooks/pre-commit',
      'echo evil >> .git/config',
      'echo "* filter=evil" > .git/info/attributes',
      'rm -rf .git/hooks; mv .git/hooks .git/h; rm .git/config; ln -sf /tmp/c .git/config',
      'mkdir evil; echo ../evil > .git/commondir; rm -f .git/commondir; ln -sf ../evil .git/commondir',
    ].join('\n');
    const before = readFileSync(join(workspace, '.git/config'), 'utf8');
    const { printed } = await run(script, { write: ['**'] });
    expect(printed.split('\n')[0]).toBe('one');
    expect(readFileSync(join(workspace, '.git/config'), 'utf8')).toBe(before);
    expect(existsSync(join(workspace, '.git/hooks/pre-commit'))).toBe(false);
    expect(existsSync(join(workspace, '.git/info/attributes'))).toBe(false);
    expect(readFileSync(join(workspace, '.git/commondir'), 'utf8')).toBe('.\n');
  });
});

describe('a scope that names hosts', () => {
  const network = { hosts: ['ok.example.com'] };

  test('[SB8] lets programs reach these, by what every HTTP client understands, and no others', async () => {
    const fetchPage =
      'fetch("http://ok.example.com/").then((r)=>r.text()).then(console.log,console.error)';
    const { printed } = await run(
      [
        'curl -sS http://ok.example.com/; echo',
        `${process.execPath} -e '${fetchPage}'`,
        'curl -sS http://evil.example.com/',
        'curl -sS --noproxy "*" http://93.184.216.34/',
        `curl -sS --noproxy "*" http://127.0.0.1:${webPort}/`,
      ].join('\n'),
      { network },
    );
    expect(printed.match(/page of ok\.example\.com/g)).toHaveLength(2);
    expect(printed).toContain('not among the hosts');
    expect(printed.match(/curl: \(7\)/g)).toHaveLength(2);
  });

  test("[SB8] changes nothing of a program's end", async () => {
    expect(await run('exit 9', { network })).toMatchObject({ exitCode: 9, stage: 'ran' });
    expect(await run('kill -9 $$', { network })).toMatchObject({ exitCode: 137 });
  });

  test('[SB8] that is an empty list opens nothing', async () => {
    const { printed } = await run('curl -sS http://ok.example.com/; env', {
      network: { hosts: [] },
    });
    expect(printed).toContain('resolve host');
    expect(printed).not.toContain('PROXY');
  });
});

describe('an enclosed program', () => {
  test('[SB12] runs only once it is let go', async () => {
    const enclosure = await enclose({ write: ['**'] });
    const process = enclosure.spawn(['touch', 'begun'], {
      cwd: workspace,
      env: { PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(await process.root).toMatchObject({ kind: 'namespace' });
    process.signal('SIGKILL');
    expect(await process.ended).toMatchObject({ stage: 'not-set-up' });
    expect(existsSync(join(workspace, 'begun'))).toBe(false);
  });

  test('[SB12] that does not exist is told apart from one that fails', async () => {
    const enclosure = await enclose();
    const process = enclosure.spawn(['no-such-program'], {
      cwd: workspace,
      env: { PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await process.root;
    process.go();
    expect(await process.ended).toMatchObject({ stage: 'missing' });
    expect(await run('exit 127')).toMatchObject({ stage: 'ran', exitCode: 127 });
  });
});

describe('the probe', () => {
  test('[SB13] finds bubblewrap working here', async () => {
    expect(await probeBubblewrap(path)).toEqual({ available: true, problem: null });
  });

  test('[SB13] says how to install it where it is missing', async () => {
    expect(await probeBubblewrap(stateDir)).toEqual({
      available: false,
      problem: expect.stringContaining('apt install bubblewrap') as string,
    });
  });

  test.each(['exit 0', 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'])(
    '[SB13] does not take %j for bubblewrap, and names the program',
    async (script) => {
      const program = join(stateDir, 'bwrap');
      writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      expect(await probeBubblewrap(stateDir)).toEqual({
        available: false,
        problem: expect.stringMatching(
          /bwrap is not bubblewrap.*bwrap first in the PATH/,
        ) as string,
      });
    },
  );

  test('[SB13] says what it said where it fails, and then nothing is enclosed', async () => {
    writeFileSync(
      join(stateDir, 'bwrap'),
      '#!/bin/sh\necho "No permissions to create new namespace" >&2\nexit 1\n',
      { mode: 0o755 },
    );
    expect(await probeBubblewrap(stateDir)).toEqual({
      available: false,
      problem: expect.stringMatching(/new namespace.*unprivileged user namespaces/) as string,
    });
    const sandbox = createSandbox({
      path: stateDir,
      nodeProgram: process.execPath,
      hiddenPaths: [],
      insideProgram: '',
      reach: { resolve: async () => [], dial: () => connect(0) },
    });
    const request = {
      spec: SEALED,
      workspace,
      writePaths: [],
      runtimeDir: stateDir,
      gatewaySocket: null,
    };
    expect(await sandbox.enclose(request)).toMatchObject({
      ok: false,
      error: { code: 'sandbox_unavailable' },
    });
  });
});
