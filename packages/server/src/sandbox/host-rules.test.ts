import { expect, test } from 'vitest';
import { isHostAllowed, isPublicAddress, plainHostName } from './host-rules.ts';

test('[SB9] a host is allowed by its exact name, or below a wildcard, and not otherwise', () => {
  const allowed = ['git.example.com', '*.cdn.example.com'];
  for (const host of ['git.example.com', 'a.cdn.example.com', 'a.b.cdn.example.com']) {
    expect(isHostAllowed(host, allowed), host).toBe(true);
  }
  for (const host of [
    'example.com',
    'cdn.example.com',
    'xcdn.example.com',
    'git.example.com.evil.org',
    'x.git.example.com',
  ]) {
    expect(isHostAllowed(host, allowed), host).toBe(false);
  }
  expect(isHostAllowed('example.com', [])).toBe(false);
  for (const pattern of ['*', '*.', '*.*', '']) {
    expect(isHostAllowed('example.com', [pattern]), pattern).toBe(false);
  }
});

test('[SB9] names are compared without case and final dot; what is no plain name is none', () => {
  expect(plainHostName('Git.Example.COM.')).toBe('git.example.com');
  const others = [
    '',
    '.',
    'a..b',
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0x7f000001',
    '1.2.3.0x4',
    '[::1]',
    '::1',
    'a b',
    'a\u0000.example.com',
    'exämple.com',
    'a/b',
    '-a.com',
    `${'a'.repeat(64)}.com`,
  ];
  for (const host of others) expect(plainHostName(host), host).toBeNull();
});

test('[SB10] addresses of this machine, of private networks and of nobody are not public', () => {
  for (const address of ['8.8.8.8', '93.184.216.34', '2606:2800:220:1::1']) {
    expect(isPublicAddress(address), address).toBe(true);
  }
  const closed = [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fe80::1',
    'fd00::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'localhost',
    '',
  ];
  for (const address of closed) expect(isPublicAddress(address), address).toBe(false);
});
