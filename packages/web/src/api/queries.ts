/** What the pages ask the server, by name. A live event makes those it is about ask again (see live.ts). */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { UseMutationResult, UseQueryResult } from '@tanstack/react-query';
import type { Client, ClientError, Result } from '@ccdash/api/client';
import { client, unwrap } from './client.ts';

type Key = readonly [string, ...(readonly (string | number | null)[])];

/** `key[0]` is one of the names that live.ts knows. */
export function useApi<T>(
  key: Key,
  ask: (client: Client) => Promise<Result<T, ClientError>>,
  isWanted = true,
): UseQueryResult<T> {
  return useQuery({ queryKey: key, queryFn: () => unwrap(ask(client)), enabled: isWanted });
}

/** Something that changes the world; everything shown is asked for again afterwards. */
export function useAction<In, Out>(
  act: (client: Client, input: In) => Promise<Result<Out, ClientError>>,
): UseMutationResult<Out, Error, In> {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (input: In) => unwrap(act(client, input)),
    onSettled: () => queries.invalidateQueries(),
  });
}
