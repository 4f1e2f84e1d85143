/**
 * A document of the repository as markdown. It may be hostile: no HTML of its own, no images (they would tell others that
 * it is read), links to web pages alone and out of this page.
 */
import type { ReactNode } from 'react';
import Markdown from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { plain } from './text.ts';

const MOST = 400_000;

export function Document({ text }: { readonly text: string }) {
  const { head, body } = splitFrontmatter(plain(text));
  return (
    <article className="markdown">
      {head !== null && (
        <details>
          <summary className="small quiet">Frontmatter</summary>
          <pre>{head}</pre>
        </details>
      )}
      {body.length > MOST && <p className="quiet">Only its first {MOST} characters are shown.</p>}
      <Markdown
        remarkPlugins={[remarkGfm]}
        skipHtml
        components={{
          h1: ({ children }) => <h2>{children}</h2>,
          img: ({ alt }) => <span className="quiet">[image: {alt}]</span>,
          input: ({ checked }) => <span>{checked === true ? '☑ done:' : '☐ open:'}</span>,
          pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
          a: ({ href, children }) => <OutLink href={href}>{children}</OutLink>,
        }}
      >
        {body.slice(0, MOST)}
      </Markdown>
    </article>
  );
}

function OutLink({
  href,
  children,
}: {
  readonly href: string | undefined;
  readonly children: ReactNode;
}) {
  if (href === undefined || !/^https?:\/\//.test(href)) return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noreferrer noopener" title={href}>
      {children}
    </a>
  );
}

function splitFrontmatter(text: string): { readonly head: string | null; readonly body: string } {
  const found = /^---\n([\s\S]*?)\n---\n/.exec(text);
  if (found === null) return { head: null, body: text };
  return { head: found[1] ?? '', body: text.slice(found[0].length) };
}
