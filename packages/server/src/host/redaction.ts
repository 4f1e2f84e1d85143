/** Takes secret values out of everything that is written: plain, and in the forms that programs print them in. */
interface Pattern {
  readonly bytes: Buffer;
  readonly marker: Buffer;
}

export interface Redaction {
  text(text: string): string;
  /** Every string in a value that is JSON, names of fields included. */
  json<T>(value: T): T;
  /** For a stream of bytes in any pieces: what comes out does not depend on where it was cut. */
  stream(): RedactionStream;
}

export interface RedactionStream {
  /** What can be let out now; the last bytes, which may begin a secret, are kept back. */
  push(chunk: Buffer): Buffer;
  end(): Buffer;
}

/** Encoded pieces shorter than this would match by chance. */
const SHORTEST_ENCODED = 6;

export function createRedaction(secretByName: Readonly<Record<string, string>>): Redaction {
  const patterns = Object.entries(secretByName).flatMap(([name, value]) =>
    formsOf(value).map((form) => ({
      bytes: Buffer.from(form),
      marker: Buffer.from(`[redacted:${name}]`),
    })),
  );

  function text(value: string): string {
    if (patterns.length === 0) return value;
    const stream = createRedactionStream(patterns);
    const head = stream.push(Buffer.from(value));
    return Buffer.concat([head, stream.end()]).toString();
  }

  function json(value: unknown): unknown {
    if (typeof value === 'string') return text(value);
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map(json);
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [text(name), json(inner)]),
    );
  }

  return {
    text,
    json: <T>(value: T) => (patterns.length === 0 ? value : (json(value) as T)),
    stream: () => createRedactionStream(patterns),
  };
}

/** A secret as such, and as it looks in JSON, URLs, hex, and base64 wherever in the encoded text it begins. */
function formsOf(secret: string): readonly string[] {
  if (secret === '') return [];
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const url = encodeURIComponent(secret);
  const encoded = [
    JSON.stringify(secret).slice(1, -1),
    url,
    url.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()),
    url.replaceAll('%20', '+'),
    hex,
    hex.toUpperCase(),
    ...[0, 1, 2].flatMap((offset) => base64Core(bytes, offset)),
  ];
  const lines = secret.split(/\r?\n/);
  // A key of several lines is as secret line by line.
  const pieces = lines.length > 1 ? lines.filter((line) => line.length >= 16) : [];
  const forms = [...encoded, ...pieces].filter((form) => form.length >= SHORTEST_ENCODED);
  return [...new Set([secret, ...forms])];
}

/** The characters that do not depend on what stands before and after, `offset` bytes into a group of three. */
function base64Core(bytes: Buffer, offset: number): readonly string[] {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const from = offset === 0 ? 0 : offset + 1;
  const partial = (offset + bytes.length) % 3 !== 0;
  const core = encoded.slice(from, partial ? -1 : undefined);
  return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
}

interface Match {
  readonly start: number;
  readonly end: number;
  readonly marker: Buffer;
}

/**
 * Overlapping matches become one marker. All matches that begin before the cut are known, since the longest pattern
 * fits behind it; where one reaches over the cut, only how far it reaches has to be remembered.
 */
function createRedactionStream(patterns: readonly Pattern[]): RedactionStream {
  const keep = Math.max(1, ...patterns.map(({ bytes }) => bytes.length)) - 1;
  let rest: Buffer = Buffer.alloc(0);
  /** Bytes at the start of `rest` that belong to a secret whose marker is out already. */
  let covered = 0;

  function letOut(buffer: Buffer, cut: number): Buffer {
    const pieces: Buffer[] = [];
    let until = covered;
    for (const match of matchesIn(buffer, patterns)) {
      if (match.start >= cut) break;
      if (match.start >= until) pieces.push(buffer.subarray(until, match.start), match.marker);
      until = Math.max(until, match.end);
    }
    if (until < cut) pieces.push(buffer.subarray(until, cut));
    rest = buffer.subarray(cut);
    covered = Math.max(0, until - cut);
    return Buffer.concat(pieces);
  }

  return {
    push: (chunk) => {
      if (patterns.length === 0) return chunk;
      const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      return letOut(buffer, Math.max(0, buffer.length - keep));
    },
    end: () => letOut(rest, rest.length),
  };
}

/** All matches, overlapping ones too, by where they begin. */
function matchesIn(buffer: Buffer, patterns: readonly Pattern[]): readonly Match[] {
  const matches: Match[] = [];
  for (const { bytes, marker } of patterns) {
    for (let at = buffer.indexOf(bytes); at >= 0; at = buffer.indexOf(bytes, at + 1)) {
      matches.push({ start: at, end: at + bytes.length, marker });
    }
  }
  return matches.sort((a, b) => a.start - b.start || b.end - a.end);
}
