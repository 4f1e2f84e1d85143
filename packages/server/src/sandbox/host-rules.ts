/** Which hosts and addresses a sandboxed program may reach. Whatever cannot be read plainly is refused. */
import { BlockList, isIP } from 'node:net';

/** The host in the form rules compare, or null for what is no plain DNS name: addresses in any notation above all. */
export function plainHostName(host: string): string | null {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (name.length > 253) return null;
  const labels = name.split('.');
  if (!labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))) return null;
  // Resolvers read `2130706433`, `0x7f.1` and the like as addresses.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return null;
  return name;
}

/** `example.com` names itself only, `*.example.com` everything below it. */
export function isHostAllowed(name: string, allowed: readonly string[]): boolean {
  return allowed.some((pattern) => {
    const rule = pattern.toLowerCase();
    if (!rule.startsWith('*.')) return rule === name;
    return plainHostName(rule.slice(2)) !== null && name.endsWith(rule.slice(1));
  });
}

/** Networks that are this machine, its neighbours, or nobody's. */
const CLOSED_NETWORKS: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['::1', 128, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
  // IPv4 in other clothes: a route to the networks above.
  ['::ffff:0:0', 96, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['64:ff9b:1::', 48, 'ipv6'],
  ['2002::', 16, 'ipv6'],
];

// Two lists, because one would match every IPv4 address against `::ffff:0:0/96`.
const closed = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const [network, prefix, family] of CLOSED_NETWORKS) {
  closed[family].addSubnet(network, prefix, family);
}

/** Whether an address lies in the public internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return isIP(address) !== 0 && !closed[family].check(address, family);
}
