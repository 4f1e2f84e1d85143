/** RFC 6962 §2.1: hash of one entry. */
export declare function leafHash(entry: Uint8Array): Buffer;

/** RFC 6962 §2.1: hash of two subtrees. */
export declare function nodeHash(left: Uint8Array, right: Uint8Array): Buffer;

/** The right edge of a hash tree: enough to append to it and to know its root. */
export interface CompactRange {
  /** Entries. */
  size(): number;
  /** Roots of the complete subtrees, largest first; at most log2(size) + 1. */
  hashes(): readonly Buffer[];
  append(leaf: Buffer): void;
  root(): Buffer;
}

/** `hashes` as an earlier range of that `size` gave them. */
export declare function createCompactRange(size?: number, hashes?: readonly Buffer[]): CompactRange;

/** An Ed25519 key in the form of C2SP verifier keys: `name+hex id+base64`. */
export interface PublicKey {
  readonly text: string;
  readonly name: string;
  /** 4 bytes. */
  readonly id: Buffer;
  /** 32 bytes. */
  readonly bytes: Buffer;
}

/** `name` without white space or `+`; `bytes` are the 32 of the key. */
export declare function formatPublicKey(name: string, bytes: Uint8Array): string;

/** null when `text` is no Ed25519 verifier key, or its id does not belong to it. */
export declare function parsePublicKey(text: string): PublicKey | null;

export interface Head {
  readonly size: number;
  readonly root: Buffer;
  /** How many signature lines the note has. */
  readonly signatures: number;
}

/** A C2SP checkpoint of the log that the key is named after, signed by `sign` over its bytes. */
export declare function formatHead(
  size: number,
  root: Buffer,
  publicKey: PublicKey,
  sign: (body: Buffer) => Buffer,
): string;

/** The head in a note, once it is one of the log that the key is named after and the signature holds. */
export declare function openHead(
  note: string,
  publicKey: PublicKey,
): { readonly ok: true; readonly head: Head } | { readonly ok: false; readonly problem: string };

/** Notes of a text that holds several, a blank line after each; `rest` is what follows the last whole one. */
export declare function splitHeads(text: string): {
  readonly notes: readonly string[];
  readonly rest: string;
};

/** The first thing that is wrong. */
export interface Finding {
  /** 1-based. */
  readonly line: number;
  readonly position: number | null;
  readonly what: string;
  readonly expected: string | null;
  readonly actual: string | null;
}

export interface LogSummary {
  readonly size: number;
  /** Base64. */
  readonly root: string;
  /** Signed heads in the export. */
  readonly heads: number;
  readonly origin: string;
  readonly publicKey: string;
}

/** The body of an entry as it was parsed; its envelope is checked, the rest is not. */
export interface VerifiedEvent {
  readonly position: number;
  readonly runId: string | null;
  readonly sequence: number | null;
  readonly [field: string]: unknown;
}

export interface LogVerifierOptions {
  /** The only key to accept; without it, the one that the export names. */
  readonly publicKey?: string | null;
  /** Notes kept from earlier: the log must contain what they vouch for. */
  readonly heads?: readonly string[];
  /** Judges each entry further; a sentence when it is bad. */
  readonly check?: (event: VerifiedEvent) => string | null;
}

/** Takes an export line by line (without line feeds). Memory grows with the number of runs only. */
export interface LogVerifier {
  /** Stop at the first finding. */
  line(text: string): Finding | null;
  end(): Finding | null;
  summary(): LogSummary;
}

export declare function createLogVerifier(options?: LogVerifierOptions): LogVerifier;

/** One line for people. */
export declare function formatFinding(finding: Finding): string;
