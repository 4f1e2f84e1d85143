/** Where the page is: its address, and nothing else. What a view shows is in its address as well. */
import { useSyncExternalStore } from 'react';
import type { AnchorHTMLAttributes, MouseEvent, ReactNode } from 'react';

const MOVED = 'ccdash:moved';

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener);
  addEventListener(MOVED, listener);
  return () => {
    removeEventListener('popstate', listener);
    removeEventListener(MOVED, listener);
  };
}

export function navigate(to: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', to);
  else history.replaceState(null, '', to);
  dispatchEvent(new Event(MOVED));
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

/** One parameter of the address, and how to set it; null takes it away. */
export function useParam(name: string): [string | null, (value: string | null) => void] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  const set = (value: string | null): void => {
    const query = new URLSearchParams(location.search);
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
    const text = query.toString();
    navigate(`${location.pathname}${text === '' ? '' : `?${text}`}`, 'replace');
  };
  return [new URLSearchParams(search).get(name), set];
}

export function Link({
  to,
  children,
  ...rest
}: {
  readonly to: string;
  readonly children: ReactNode;
} & AnchorHTMLAttributes<HTMLAnchorElement>) {
  const follow = (event: MouseEvent): void => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    navigate(to);
    scrollTo(0, 0);
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}
