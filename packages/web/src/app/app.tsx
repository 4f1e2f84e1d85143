/** The frame around every view: where one can go, who waits for a decision, whether the page is live. */
import { Suspense, useState } from 'react';
import { useApi } from '../api/queries.ts';
import { useConnection } from '../api/live.ts';
import type { Connection } from '../api/live.ts';
import { Face } from '../ui/faces.tsx';
import { Link, usePath } from '../ui/router.tsx';
import { findPage } from './pages.tsx';
import { applyTheme, currentTheme, nextTheme } from './theme.ts';

const PLACES = [
  ['/features', 'Features'],
  ['/runs', 'Runs'],
  ['/approvals', 'Approvals'],
  ['/audit', 'Audit'],
  ['/insights', 'Metrics'],
  ['/adapters', 'Adapters'],
  ['/policy', 'Policy'],
  ['/people', 'People'],
] as const;

const CONNECTIONS: Readonly<Record<Connection, string>> = {
  connecting: '… connecting',
  live: '● live',
  offline: '○ offline, trying again',
  'logged-out': '○ logged out',
};

export function App() {
  const path = usePath();
  const connection = useConnection();
  const [theme, setTheme] = useState(currentTheme());
  const open = useApi(['approvals', 'open'], (api) => api.approvals('open'));
  const me = useApi(['people', 'me'], (api) => api.whoAmI());
  const waiting = open.data?.length ?? 0;
  const found = findPage(path);
  const change = (): void => {
    applyTheme(nextTheme(theme));
    setTheme(currentTheme());
  };
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="side">
        <Link to="/" className="brand">
          CCDash
        </Link>
        <nav aria-label="Places">
          <ul>
            {PLACES.map(([to, name]) => (
              <li key={to}>
                <Link to={to} aria-current={path.startsWith(to) ? 'page' : undefined}>
                  {name}
                  {to === '/approvals' && waiting > 0 && (
                    <span className="count">
                      {waiting}
                      <span className="hidden"> waiting</span>
                    </span>
                  )}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="foot">
          <span role="status">{CONNECTIONS[connection]}</span>
          {me.data !== undefined && <span>{me.data.id}</span>}
          <button type="button" onClick={change}>
            Theme: {theme}
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {connection === 'logged-out' ? (
          <Face title="Log in">
            <p>
              Open the link that <code>ccdash serve</code> prints. It works once, and lets this
              browser in for twelve hours.
            </p>
          </Face>
        ) : found === null ? (
          <Face title="There is nothing at this address">
            <p>
              <Link to="/runs">See the runs</Link>
            </p>
          </Face>
        ) : (
          <Suspense fallback={<p role="status">Loading…</p>}>
            <found.View key={path} params={found.params} />
          </Suspense>
        )}
      </main>
    </div>
  );
}
