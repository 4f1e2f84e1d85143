import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const MODULE = pathToFileURL(join(import.meta.dirname, 'inherited-descriptors.ts')).href;

/** What a program sees that is started by a Node which was itself started with two descriptors open. */
function seenByChild(script: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'ccdash-fd-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = `
    import { spawnSync } from 'node:child_process';
    import { closeInheritedDescriptors } from '${MODULE}';
    ${script}
    const told = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
    console.log(told.stdout);
  `;
  const command = `exec 100<"${folder}" 60>"${folder}/leak"; exec "$0" --input-type=module -e "$1"`;
  const told = spawnSync('bash', ['-c', command, process.execPath, program], { encoding: 'utf8' });
  expect(told.stderr.replaceAll(/^.*Warning.*\n?/gm, '')).not.toMatch(/Error/);
  return told.stdout;
}

test.runIf(process.platform === 'linux')(
  '[SB20] a program that a host starts inherits nothing that was open around the host',
  () => {
    expect(seenByChild('')).toMatch(/ 100 -> /);
    const seen = seenByChild('console.log(closeInheritedDescriptors());');
    // There may be more: whatever is open around the tests themselves.
    expect(Number(seen.split('\n')[0])).toBeGreaterThanOrEqual(2);
    expect(seen).not.toMatch(/ccdash-fd-/);
  },
);
