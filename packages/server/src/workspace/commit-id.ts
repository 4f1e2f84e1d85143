/** Whether `id` is a whole object id (SHA-1 or SHA-256), and so no option, name or range for git. */
export function isFullCommitId(id: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(id);
}
