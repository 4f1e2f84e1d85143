/** The faces that every view has besides its own: loading, nothing there, an error with what to do. */
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client.ts';

export function Face({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ReactNode;
}) {
  return (
    <div className="card">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function ErrorFace({
  error,
  retry,
}: {
  readonly error: unknown;
  readonly retry?: () => void;
}) {
  const known = error instanceof ApiError ? error : null;
  return (
    <div className="card bad" role="alert">
      <h2>{known?.problem.detail ?? 'This could not be shown.'}</h2>
      {known !== null && known.hint !== null && <p className="quiet">{known.hint}</p>}
      {retry !== undefined && (
        <div>
          <button type="button" onClick={retry}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}

/** What a query gave, or the face for that it gave nothing yet. */
export function Loaded<T>({
  query,
  children,
}: {
  readonly query: UseQueryResult<T>;
  readonly children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <ErrorFace error={query.error} retry={() => void query.refetch()} />;
  return (
    <p className="quiet" role="status">
      Loading…
    </p>
  );
}
