/** Looks for things that are almost certainly credentials in what a unified diff adds. */

export interface FoundSecret {
  readonly kind: string;
  readonly path: string;
}

/** Forms that providers document, with a fixed prefix each, so that ordinary code does not look like one. */
const SECRET_FORMS: readonly { readonly kind: string; readonly form: RegExp }[] = [
  { kind: 'private key', form: /-----BEGIN (?:[A-Z]{2,10} )?PRIVATE KEY-----/ },
  { kind: 'AWS access key', form: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/ },
  { kind: 'GitHub token', form: /\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36}\b/ },
  { kind: 'GitHub token', form: /\bgithub_pat_[A-Za-z0-9_]{22,255}\b/ },
  { kind: 'GitLab token', form: /\bglpat-[A-Za-z0-9_-]{20}\b/ },
  { kind: 'Anthropic key', form: /\bsk-ant-[A-Za-z0-9_-]{20,200}\b/ },
  { kind: 'OpenAI key', form: /\bsk-(?:proj-)?[A-Za-z0-9]{32,200}\b/ },
  { kind: 'Slack token', form: /\bxox[abpr]-[A-Za-z0-9-]{10,200}\b/ },
  { kind: 'npm token', form: /\bnpm_[A-Za-z0-9]{36}\b/ },
  { kind: 'Google key', form: /\bAIza[0-9A-Za-z_-]{35}\b/ },
  { kind: 'Stripe key', form: /\b[rs]k_live_[0-9A-Za-z]{20,200}\b/ },
];

/** Kinds of the credentials in a text, each as often as a form of it is there. */
export type SecretSearch = (text: string) => readonly string[];

/** `handed`: names and values of secrets that are looked for as they are, besides the forms that are known. */
export function createSecretSearch(
  handed: readonly (readonly [name: string, value: string])[],
): SecretSearch {
  return (text) => [
    ...handed.filter(([, value]) => text.includes(value)).map(([name]) => `the secret ${name}`),
    ...SECRET_FORMS.filter(({ form }) => form.test(text)).map(({ kind }) => kind),
  ];
}

/** What `search` finds in the names of changed files and in what was added to them. */
export function findSecrets(diff: string, search: SecretSearch): readonly FoundSecret[] {
  const found: FoundSecret[] = [];
  let path = '';
  // Within a hunk every line is content behind one sign: an added line of `++ x` must not pass for a name.
  let inHunk = false;
  // Lines that were added together are one text: a key may have several.
  let added: string[] = [];
  const look = (text: string): void => {
    for (const kind of search(text)) found.push({ kind, path });
  };
  for (const line of [...diff.split('\n'), '']) {
    const isAdded = inHunk && line.startsWith('+');
    if (isAdded) {
      added.push(line.slice(1));
      continue;
    }
    if (added.length > 0) look(added.join('\n'));
    added = [];
    if (line.startsWith('diff --git ')) inHunk = false;
    else if (line.startsWith('@@ ')) inHunk = true;
    else if (!inHunk && line.startsWith('+++ ')) {
      path = line.slice(4).replace(/^b\//, '');
      look(path);
    }
  }
  return found;
}
