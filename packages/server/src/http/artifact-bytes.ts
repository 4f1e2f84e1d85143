/** An artifact as a download: never shown by a browser as what it claims to be. */
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { isErrno } from '../base/process-identity.ts';
import type { Problem } from './problem.ts';

/** Problems: ArtifactNotFound, also for what is no digest. */
export async function artifactToResponse(
  sha256: string,
  pathOf: (sha256: string) => string,
): Promise<Response | Problem> {
  const notFound: Problem = {
    error: 'ArtifactNotFound',
    hint: 'List those of a run with their digests: ccdash artifacts RUN',
  };
  // It becomes a path: nothing but a digest may.
  if (!/^[0-9a-f]{64}$/.test(sha256)) return notFound;
  try {
    const file = await open(pathOf(sha256));
    const { size } = await file.stat();
    const bytes = Readable.toWeb(file.createReadStream()) as ReadableStream<Uint8Array>;
    return new Response(bytes, {
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(size),
        'content-disposition': `attachment; filename="${sha256}"`,
      },
    });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return notFound;
    throw error;
  }
}
