import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { PolicyFacts } from '@ccdash/core';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { readAsset } from '../base/assets.ts';
import { loadProjectPolicy, readProjectPolicy, shippedPolicy } from './project-policy.ts';
import type { PolicyInForce } from './project-policy.ts';

const STRICT = `@id("deny-everything") @doc("Nothing runs here.")
forbid (principal, action, resource);`;
const LOOSE = `@id("permit-everything") @doc("Everything runs here.")
permit (principal, action, resource);`;
const BROKEN = `${LOOSE}\n@id("deny-some") @doc("Not this.")
forbid (principal, action, resource) when { resource.rsk > 1 };`;

const UNSANDBOXED: PolicyFacts = {
  action: 'start',
  stepKind: 'command',
  tools: ['exec'],
  runTools: ['exec'],
  writes: false,
  network: false,
  secrets: false,
  sandboxed: false,
  effects: ['reads'],
  risk: 'low',
  requester: 'ann',
  actor: { kind: 'person', id: 'ann', roles: ['operator'] },
  weakens: false,
  absolute: false,
  scope: { tools: ['exec'], write: [], network: 'none' },
};

let project = '';

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'ccdash-policy-'));
});

afterEach(() => {
  rmSync(project, { recursive: true });
});

test('[PO11] a project without rules gets the shipped policy, and nothing is said', () => {
  expect(inForce(null)).toEqual({
    policy: shippedPolicy(),
    source: 'shipped',
    projectDigest: null,
    notice: null,
    files: [{ file: 'policy/default.cedar', text: readAsset('policy/default.cedar') }],
  });
  put('.ccdash/policy/README.md', 'No rules here.');
  expect(inForce(null).notice).toBeNull();
});

test('[PO11] an unchanged copy of the shipped policy needs no trust', () => {
  put('.ccdash/policy/default.cedar', readAsset('policy/default.cedar'));
  expect(inForce(null)).toMatchObject({ source: 'shipped', notice: null });
  expect(inForce(null).projectDigest).toBe(shippedPolicy().digest);
});

test("[PO11] a project's own policy has no effect before it is trusted, and the notice says how", () => {
  put('.ccdash/policy/team.cedar', LOOSE);
  const found = inForce(null);
  expect(found.policy.evaluate(UNSANDBOXED).verdict).toBe('requires_approval');
  expect(found.source).toBe('shipped');
  expect(found.notice).toContain('has not been trusted yet');
  expect(found.notice).toContain('`ccdash trust`');
});

test("[PO11] a project's own policy is in force while its digest is the trusted one", () => {
  put('.ccdash/policy/team.cedar', LOOSE);
  const digest = inForce(null).projectDigest;
  const found = inForce(digest);
  expect(found).toMatchObject({ source: 'project', notice: null, projectDigest: digest });
  expect(found.policy.digest).toBe(digest);
  expect(found.policy.evaluate(UNSANDBOXED).verdict).toBe('allow');
});

test('[PO11] a policy that changed, or went, after it was trusted is not in force, and the notice says so', () => {
  put('.ccdash/policy/team.cedar', STRICT);
  const digest = inForce(null).projectDigest;
  const changes: readonly (readonly [string, () => void])[] = [
    ['has changed', () => put('.ccdash/policy/team.cedar', `${STRICT}\n`)],
    ['has changed', () => put('.ccdash/policy/more.cedar', LOOSE)],
    ['has changed', () => put('.ccdash/policy/team.cedar', BROKEN)],
    ['was trusted', () => rmSync(join(project, '.ccdash/policy'), { recursive: true })],
    ['has changed', () => put('.ccdash/policy/default.cedar', readAsset('policy/default.cedar'))],
  ];
  for (const [words, change] of changes) {
    change();
    const found = inForce(digest);
    expect(found.source).toBe('shipped');
    expect(found.policy).toBe(shippedPolicy());
    expect(found.notice).toContain(words);
    expect(found.notice).toContain('`ccdash trust`');
  }
});

test('[PO10] the digest of a project depends on the texts, not on the order the disk gives them in', () => {
  put('.ccdash/policy/b.cedar', LOOSE);
  put('.ccdash/policy/a.cedar', STRICT);
  const digest = inForce(null).projectDigest;
  rmSync(join(project, '.ccdash'), { recursive: true });
  put('.ccdash/policy/a.cedar', STRICT);
  put('.ccdash/policy/b.cedar', LOOSE);
  expect(inForce(null).projectDigest).toBe(digest);
});

test('[PO12] a trusted policy with a mistake is refused with its place, and nothing takes its stead', () => {
  put('.ccdash/policy/team.cedar', BROKEN);
  const untrusted = inForce(null);
  expect(untrusted.source).toBe('shipped');
  const refused = loadProjectPolicy(project, untrusted.projectDigest);
  expect(refused).toMatchObject({ ok: false, error: { code: 'policy_invalid' } });
  expect(refused.ok ? '' : refused.error.message).toContain(
    '.ccdash/policy/team.cedar:4:45: attribute `rsk`',
  );
});

test.each([
  ['a link to a file', 'not_a_file', () => link('/etc/hostname', '.ccdash/policy/a.cedar')],
  ['a dangling link', 'not_a_file', () => link('/no/such/file', '.ccdash/policy/a.cedar')],
  ['a folder that is a link', 'not_a_folder', () => link(tmpdir(), '.ccdash/policy')],
  ['a .ccdash that is a link', 'not_a_folder', () => link(tmpdir(), '.ccdash')],
  ['a .ccdash that is a file', 'not_a_folder', () => put('.ccdash', '')],
  ['a folder named like a file', 'not_a_file', () => put('.ccdash/policy/a.cedar/b', '')],
  ['a large file', 'too_large', () => put('.ccdash/policy/a.cedar', ' '.repeat(65_537))],
  ['bytes that are no text', 'not_text', () => put('.ccdash/policy/a.cedar', Buffer.of(0xff))],
  ['a hidden file', 'bad_name', () => put('.ccdash/policy/.a.cedar', STRICT)],
  ['a name with a line break', 'bad_name', () => put('.ccdash/policy/a\n.cedar', STRICT)],
  [
    'too many files',
    'too_many_files',
    () => {
      for (let n = 0; n < 33; n += 1) put(`.ccdash/policy/${n}.cedar`, STRICT);
    },
  ],
])('[PO12] what cannot be read safely is never in force: %s', (_, code, make) => {
  make();
  expect(readProjectPolicy(project)).toMatchObject({ ok: false, error: { code } });
  // Nothing was trusted: the shipped policy goes on. Something was: it cannot be told whether this is it.
  expect(inForce(null)).toMatchObject({ source: 'shipped', projectDigest: null });
  expect(inForce(null).notice).toContain('.ccdash');
  expect(loadProjectPolicy(project, 'sha256:0')).toMatchObject({ ok: false, error: { code } });
});

test('[PO12] rules that are not trusted are never looked into, whatever they hold', () => {
  // Nested this deep, they would break the evaluator for good.
  const nested = `${'('.repeat(20_000)}true${')'.repeat(20_000)}`;
  put('.ccdash/policy/a.cedar', `permit (principal, action, resource) when { ${nested} };`);
  const found = inForce(null);
  expect(found.source).toBe('shipped');
  expect(found.policy.evaluate({ ...UNSANDBOXED, sandboxed: true }).verdict).toBe('allow');
});

test('[PO12] a file of exactly the largest size is read', () => {
  put('.ccdash/policy/a.cedar', STRICT.padEnd(65_536, '\n'));
  expect(readProjectPolicy(project)).toMatchObject({
    ok: true,
    value: { files: [{ file: '.ccdash/policy/a.cedar' }] },
  });
});

function inForce(trustedDigest: string | null): PolicyInForce {
  const loaded = loadProjectPolicy(project, trustedDigest);
  if (!loaded.ok) throw new Error(loaded.error.message);
  return loaded.value;
}

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), content);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  symlinkSync(target, join(project, path));
}
