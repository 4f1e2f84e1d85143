import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { readAsset } from '../base/assets.ts';
import { loadProjectConfig, readProjectConfig } from './load-project-config.ts';
import type { ConfigInForce } from './load-project-config.ts';
import { DEFAULT_PROJECT_CONFIG } from './project-config.ts';

let project = '';

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'ccdash-config-'));
  mkdirSync(join(project, '.ccdash'));
});

afterEach(() => {
  rmSync(project, { recursive: true });
});

test('[PO15] without a file, or with nothing but defaults in it, the defaults are in force', () => {
  expect(inForce(null)).toEqual({
    config: DEFAULT_PROJECT_CONFIG,
    source: 'default',
    projectDigest: null,
    notice: null,
  });
  put(readAsset('init/config.yaml'));
  expect(inForce(null)).toMatchObject({ source: 'default', notice: null });
});

test('[PO15] settings take effect only while their digest is the trusted one', () => {
  put('sandbox: { read: [/root] }');
  const untrusted = inForce(null);
  expect(untrusted).toMatchObject({ config: DEFAULT_PROJECT_CONFIG, source: 'default' });
  expect(untrusted.notice).toContain('have not been trusted yet');
  expect(untrusted.notice).toContain('`ccdash trust`');
  const digest = untrusted.projectDigest;
  expect(inForce(digest)).toMatchObject({
    config: { sandbox: { read: ['/root'] } },
    source: 'project',
    notice: null,
  });
  put('sandbox: { read: [/root, /home] }');
  expect(inForce(digest)).toMatchObject({ config: DEFAULT_PROJECT_CONFIG, source: 'default' });
  expect(inForce(digest).notice).toContain('have changed');
  put('');
  expect(inForce(digest).notice).toContain('have changed');
  rmSync(join(project, '.ccdash'), { recursive: true });
  expect(inForce(digest).notice).toContain('is gone');
});

test('[PO15] trusted settings with a mistake are refused with its place', () => {
  put('orphanLimit: 15m\nsandbx: {}');
  const untrusted = inForce(null);
  expect(untrusted.notice).toContain('.ccdash/config.yaml:2:1: "sandbx"');
  const refused = loadProjectConfig(project, untrusted.projectDigest);
  expect(refused).toMatchObject({ ok: false, error: { code: 'config_invalid' } });
  expect(refused.ok ? '' : refused.error.message).toContain('.ccdash/config.yaml:2:1:');
});

test('[PO15] a file that cannot be read safely is never in force', () => {
  symlinkSync('/etc/hostname', join(project, '.ccdash/config.yaml'));
  expect(readProjectConfig(project)).toMatchObject({ ok: false, error: { code: 'not_a_file' } });
  expect(inForce(null)).toMatchObject({ source: 'default', projectDigest: null });
  expect(inForce(null).notice).toContain('symbolic link');
  expect(loadProjectConfig(project, 'sha256:0').ok).toBe(false);
});

function inForce(trustedDigest: string | null): ConfigInForce {
  const loaded = loadProjectConfig(project, trustedDigest);
  if (!loaded.ok) throw new Error(loaded.error.message);
  return loaded.value;
}

function put(text: string): void {
  writeFileSync(join(project, '.ccdash/config.yaml'), text);
}
