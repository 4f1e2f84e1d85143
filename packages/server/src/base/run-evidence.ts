/** The entries of a run with what proves that they stand in the log: as the store makes it and a report carries it. */
export interface RunEvidence {
  /** C2SP verifier key of the log. */
  readonly publicKey: string;
  /** C2SP checkpoint over the whole log at that time. */
  readonly head: string;
  /** Bodies of all entries of the run so far, as they are stored, oldest first. */
  readonly entries: readonly string[];
  /** Base64: hashes of the subtrees without any of these entries, left to right. */
  readonly proof: readonly string[];
}

export type ReportFormat = 'html' | 'md' | 'json';
