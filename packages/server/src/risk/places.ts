/** Where a file name leads, by the name alone. */
import type { SeenWord } from './seen-word.ts';

export type Place =
  | 'inside'
  /** Anywhere else, and the workspace's own `.git` and `.ccdash`, which are not its work. */
  | 'outside'
  | 'secret'
  /** A connection that the shell opens. */
  | 'remote'
  /** Disks, memory, the kernel. */
  | 'raw'
  /** Nowhere, or a stream that is open already. */
  | 'device'
  | 'unknown';

const DEVICES = /^\/dev\/(null|zero|stdin|stdout|stderr|tty|random|urandom|full|fd\/\d+)$/;
const RAW = /^\/(dev\/|proc\/(kcore|sysrq|sys\/)|sys\/)/;

/** Names of files in which credentials are kept, by the tools that keep them. */
const SECRET = new RegExp(
  [
    String.raw`(^|/)\.env(rc|\.(?!example|sample|template|dist|defaults?|test$)[^/]*)?$`,
    String.raw`(^|/)\.(netrc|pgpass|my\.cnf|git-credentials|npmrc|pypirc|vault-token|htpasswd|boto|s3cfg)$`,
    String.raw`(^|/)\.(ssh|aws|gnupg|gcloud|azure|kube|docker|password-store|config/(gh|gcloud|op|hub|rclone|doctl|heroku|configstore))(/|$)`,
    String.raw`(^|/)id_(rsa|dsa|ecdsa|ed25519)(_sk)?$`,
    String.raw`\.(pem|key|p12|pfx|jks|keystore|kdbx|asc|gpg|ppk)$`,
    String.raw`(^|/)(credentials|secrets?)(\.(json|ya?ml|toml|ini|txt|env|properties))?$`,
    String.raw`(^|/)service-?account[^/]*\.json$`,
    String.raw`^/etc/(shadow|gshadow|sudoers(\.d)?|ssl/private|ssh)(/|-|$)`,
    String.raw`^/proc/[^/]+/(environ|mem|maps|cmdline|fd|root|cwd)(/|$)`,
    String.raw`^/(var/)?run/secrets(/|$)`,
    String.raw`^/root(/|$)`,
    String.raw`(^|/)(Cookies|Login Data|logins\.json|key[34]\.db)$`,
    String.raw`(^|/)\.(bash|zsh|python|node_repl|psql|mysql)_history$`,
  ].join('|'),
  'i',
);

export function placeOf(word: SeenWord): Place {
  if (word.kind === 'unknown') return isOutputFile(word.text) ? 'inside' : 'unknown';
  const path = word.text;
  if (path.startsWith('~')) return SECRET.test(path) ? 'secret' : 'outside';
  if (word.kind === 'files') {
    // A pattern that begins like a hidden file or an option may match anything that does.
    if (word.begin === '' ? path.startsWith('.') : /(^|\/)\.[^/]*$|^-/.test(word.begin)) {
      return 'unknown';
    }
    const members = path.includes('{') ? path.split(/[{},]/) : [];
    if (members.some((member) => /^[./~-]/.test(member) || SECRET.test(member))) return 'unknown';
    if (SECRET.test(path) || /\.(pem|key|p12|pfx|asc|gpg)$/.test(path)) return 'secret';
  } else if (SECRET.test(path)) return 'secret';
  if (DEVICES.test(path)) return 'device';
  if (/^\/dev\/(tcp|udp)\//.test(path)) return 'remote';
  if (RAW.test(path)) return 'raw';
  if (path === '' || path.startsWith('/')) return 'outside';
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) return 'outside';
  return segments.some((segment) => OURS.has(segment.toLowerCase())) ? 'outside' : 'inside';
}

const OURS: ReadonlySet<string> = new Set(['.git', '.ccdash']);

/** The file in which a step leaves its outputs. */
function isOutputFile(text: string): boolean {
  return /^"?\$(CCDASH_OUTPUT|\{CCDASH_OUTPUT\})"?$/.test(text);
}
