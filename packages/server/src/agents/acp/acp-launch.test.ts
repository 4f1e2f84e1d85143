import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentLaunch } from '@ccdash/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  filled,
  launchPaths,
  launchProblem,
  launchVersion,
  takesModel,
  usesGateway,
} from './acp-launch.ts';

const VALUES = { gateway: 'http://g', token: 't', model: 'm', state: '/s', workspace: '/w' };

let root: string;
let program: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-launch-')));
  mkdirSync(join(root, 'bin'));
  program = join(root, 'bin/agent');
  writeFileSync(program, '');
  chmodSync(program, 0o755);
});
afterEach(() => rmSync(root, { recursive: true }));

function launch(some: Partial<AgentLaunch>): AgentLaunch {
  return { command: [program], env: {}, read: [], mode: null, session: {}, ...some };
}

describe('how an agent is started', () => {
  test('[AG61] is filled in wherever a text has a place for it, however deep', () => {
    const session = { a: ['{{ gateway }}/v1', { b: '{{token}} {{ model }}' }], c: 7, d: null };
    expect(filled(session, VALUES)).toEqual({ a: ['http://g/v1', { b: 't m' }], c: 7, d: null });
    const odd = { text: '{{ other }} $& {{ state }} {{ workspace }}' };
    expect(filled(odd, { ...VALUES, state: '$&{{ token }}' })).toEqual({
      text: '{{ other }} $& $&{{ token }} /w',
    });
  });

  test('[AG61] says whether it goes by the gateway, and takes the model of a step', () => {
    expect([usesGateway(launch({})), takesModel(launch({}))]).toEqual([false, false]);
    expect(usesGateway(launch({ env: { URL: '{{gateway}}' } }))).toBe(true);
    expect(takesModel(launch({ session: { a: ['x {{ model }}'] } }))).toBe(true);
  });

  test('[AG61] has a version where its program, or what that runs, is in a package', () => {
    expect(launchVersion(launch({}))).toBeNull();
    writeFileSync(join(root, 'package.json'), '{"version":"1.2.3"}');
    expect(launchVersion(launch({}))).toBe('1.2.3');
    mkdirSync(join(root, 'inner'));
    writeFileSync(join(root, 'inner/package.json'), '{"version":"4.5.6"}');
    writeFileSync(join(root, 'inner/main.js'), '');
    const command = [program, '--flag', join(root, 'inner/main.js')];
    expect(launchVersion(launch({ command }))).toBe('4.5.6');
    writeFileSync(join(root, 'inner/package.json'), '{"version"');
    expect(launchVersion(launch({ command }))).toBe('1.2.3');
  });

  test('[AG61] says what is missing, and shows its sandbox what is there', () => {
    expect(launchProblem(launch({}))).toBeNull();
    expect(launchProblem(launch({ command: ['no-such-agent'] }))).toMatch(/not on the PATH/);
    const gone = join(root, 'gone');
    expect(launchProblem(launch({ command: [gone] }))).toContain(`${gone} is not there`);
    expect(launchProblem(launch({ read: [gone] }))).toContain(`${gone}, which it reads`);
    expect(launchPaths(launch({ read: [root, gone] }))).toEqual([program, root]);
    chmodSync(program, 0o644);
    expect(launchProblem(launch({}))).toMatch(/cannot be run/);
  });
});
