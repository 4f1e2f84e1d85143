/** The API as the pages use it: the typed client by the session of this browser, refusals thrown for the queries. */
import { createClient } from '@ccdash/api/client';
import type { Client, ClientError, Result } from '@ccdash/api/client';

export const client: Client = createClient({ baseUrl: location.origin, token: null });

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: ClientError;

  constructor(problem: ClientError) {
    super(problem.detail);
    this.problem = problem;
  }

  get hint(): string | null {
    return this.problem.error === 'Unreachable'
      ? 'The server does not answer. This page goes on by itself once it does.'
      : this.problem.hint;
  }
}

export async function unwrap<T>(answer: Promise<Result<T, ClientError>>): Promise<T> {
  const result = await answer;
  if (!result.ok) throw new ApiError(result.error);
  return result.value;
}
