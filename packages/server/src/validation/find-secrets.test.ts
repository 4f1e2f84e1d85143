import { describe, expect, test } from 'vitest';
import { createSecretSearch, findSecrets as find } from './find-secrets.ts';
import type { FoundSecret } from './find-secrets.ts';

const findSecrets = (diff: string): readonly FoundSecret[] => find(diff, createSecretSearch([]));

// Joined here, so that no scanner takes this file for a leak.
const GITHUB = `ghp_${'a1B2'.repeat(9)}`;
const AWS = `AKIA${'ABCD1234'.repeat(2)}`;

/** The diff of a new file with these lines. */
function diffOf(path: string, ...lines: readonly string[]): string {
  const head = `diff --git a/${path} b/${path}\nnew file mode 100644\n--- /dev/null\n+++ b/${path}\n`;
  const added = lines.map((line) => `+${line}\n`).join('');
  return `${head}@@ -0,0 +1,${String(lines.length)} @@\n${added}`;
}

describe('secrets in a diff', () => {
  test.each([
    ['private key', '-----BEGIN RSA PRIVATE KEY-----'],
    ['private key', '-----BEGIN PRIVATE KEY-----'],
    ['AWS access key', AWS],
    ['GitHub token', GITHUB],
    ['GitHub token', `github_pat_${'a'.repeat(30)}`],
    ['GitLab token', `glpat-${'a'.repeat(20)}`],
    ['Anthropic key', `sk-ant-${'a'.repeat(40)}`],
    ['OpenAI key', `sk-proj-${'a1'.repeat(20)}`],
    ['Slack token', `xoxb-${'1'.repeat(12)}`],
    ['npm token', `npm_${'a'.repeat(36)}`],
    ['Google key', `AIza${'a'.repeat(35)}`],
    ['Stripe key', `sk_live_${'a'.repeat(24)}`],
  ])('[EN17] are found by their form: %s', (kind, secret) => {
    expect(findSecrets(diffOf('conf/a.env', 'x', `KEY="${secret}"`))).toEqual([
      { kind, path: 'conf/a.env' },
    ]);
  });

  test('[EN17] that were taken out, or stood there before, are not new ones', () => {
    const head = 'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,1 @@\n';
    expect(findSecrets(`${head}-${GITHUB}\n ${AWS}\n`)).toEqual([]);
  });

  test('[EN17] do not hide in a line that looks like the name of a file', () => {
    const found = findSecrets(diffOf('a.txt', `++ b/${GITHUB}`, AWS) + diffOf('b.txt', AWS));
    expect(found).toEqual([
      { kind: 'AWS access key', path: 'a.txt' },
      { kind: 'GitHub token', path: 'a.txt' },
      { kind: 'AWS access key', path: 'b.txt' },
    ]);
  });

  test('[EN17] are not seen in ordinary code', () => {
    const lines = ['const task = "sk-learn";', 'npm_config_cache=x', 'AKIA', 'a--BEGIN KEY--'];
    expect(findSecrets(diffOf('a.ts', ...lines))).toEqual([]);
  });

  test('[EN17] those that were handed out are found in what was added, over several lines too', () => {
    const search = createSecretSearch([['KEY', 'first line\nsecond line']]);
    const found = (...lines: readonly string[]): readonly FoundSecret[] =>
      find(diffOf('a.txt', ...lines), search);
    expect(found('x', 'first line', 'second line')).toEqual([
      { kind: 'the secret KEY', path: 'a.txt' },
    ]);
    expect(found('first line', 'x', 'second line')).toEqual([]);
    const taken = 'diff --git a/a.txt b/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-token-1234\n+other\n';
    expect(find(taken, createSecretSearch([['TOKEN', 'token-1234']]))).toEqual([]);
  });
});
