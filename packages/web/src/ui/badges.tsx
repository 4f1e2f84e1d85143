/** What something is, always as a mark and a word; the colour only says it again. */
interface Look {
  readonly mark: string;
  readonly tone: '' | 'good' | 'bad' | 'wait' | 'going';
}

const LOOKS: Readonly<Record<string, Look>> = {
  queued: { mark: '·', tone: '' },
  pending: { mark: '·', tone: '' },
  ready: { mark: '◦', tone: '' },
  running: { mark: '▸', tone: 'going' },
  blocked: { mark: '?', tone: 'wait' },
  paused: { mark: '‖', tone: 'wait' },
  interrupted: { mark: '!', tone: 'wait' },
  stale: { mark: '~', tone: 'wait' },
  failed: { mark: '✗', tone: 'bad' },
  rejected: { mark: '✗', tone: 'bad' },
  expired: { mark: '✗', tone: 'bad' },
  broken: { mark: '✗', tone: 'bad' },
  deny: { mark: '✗', tone: 'bad' },
  denies: { mark: '✗', tone: 'bad' },
  succeeded: { mark: '✓', tone: 'good' },
  approved: { mark: '✓', tone: 'good' },
  done: { mark: '✓', tone: 'good' },
  completed: { mark: '✓', tone: 'good' },
  allow: { mark: '✓', tone: 'good' },
  permits: { mark: '✓', tone: 'good' },
  'in-progress': { mark: '▸', tone: 'going' },
  in_progress: { mark: '▸', tone: 'going' },
  open: { mark: '?', tone: 'wait' },
  asks: { mark: '?', tone: 'wait' },
  requires_approval: { mark: '?', tone: 'wait' },
  'not-installed': { mark: '◦', tone: 'wait' },
  high: { mark: '▲', tone: 'bad' },
  critical: { mark: '▲', tone: 'bad' },
  medium: { mark: '▲', tone: 'wait' },
};

const WORDS: Readonly<Record<string, string>> = {
  requires_approval: 'asks people',
  allow: 'allowed',
  deny: 'denied',
};

export function Badge({
  state,
  prefix = '',
}: {
  readonly state: string;
  readonly prefix?: string;
}) {
  const { mark, tone } = LOOKS[state] ?? { mark: '·', tone: '' };
  return (
    <span className={`badge ${tone}`}>
      <span aria-hidden="true">{mark}</span>
      {prefix}
      {WORDS[state] ?? state.replaceAll(/[_-]/g, ' ')}
    </span>
  );
}

export function toneOf(state: string): string {
  return LOOKS[state]?.tone ?? '';
}
