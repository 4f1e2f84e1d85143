/** Looks for things that are almost certainly credentials in the added lines of a unified diff. */

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

export function findSecrets(diff: string): readonly FoundSecret[] {
  const found: FoundSecret[] = [];
  let path = '';
  for (const line of diff.split('\n')) {
    if (line.startsWith('+++ ')) path = line.slice(4).replace(/^b\//, '');
    else if (line.startsWith('+')) {
      for (const { kind, form } of SECRET_FORMS) if (form.test(line)) found.push({ kind, path });
    }
  }
  return found;
}
