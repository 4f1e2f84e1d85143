/** Starts the page. */
import './ui/tokens.css';
import './ui/ui.css';
import './ui/run.css';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { followLog } from './api/live.ts';
import { App } from './app/app.tsx';
import { applyTheme } from './app/theme.ts';

const queries = new QueryClient({
  defaultOptions: { queries: { retry: false, staleTime: 30_000, refetchOnWindowFocus: false } },
});
applyTheme();
void followLog(queries, new AbortController().signal);
const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>,
  );
}
