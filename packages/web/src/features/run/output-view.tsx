/** What a program has written, with its colors; while it runs, as it comes. */
import { useEffect, useRef, useState } from 'react';
import { client } from '../../api/client.ts';
import { Terminal } from '../../ui/terminal.tsx';
import { NO_OUTPUT, linesOf, withOutput } from './output-text.ts';

interface Of {
  readonly runId: string;
  readonly step: string;
  readonly attempt: number;
  /** Null while it runs. */
  readonly bytes: number | null;
}

/** Of a longer output the end is shown. */
const SHOWN_BYTES = 512 * 1024;

export function OutputView(of: Of) {
  const { runId, step, attempt, bytes } = of;
  const { output, problem } = useOutput(of);
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useEffect(() => {
    const pane = box.current?.firstElementChild;
    if (isAtEnd.current && pane) pane.scrollTop = pane.scrollHeight;
  }, [output]);
  const lines = linesOf(output);
  const isCut = output.dropped > 0 || (bytes ?? 0) > SHOWN_BYTES;
  const file = `/api/v1/runs/${encodeURIComponent(runId)}/steps/${encodeURIComponent(step)}/attempts/${String(attempt)}/output`;
  return (
    <div className="stack">
      {problem !== null && <p role="alert">{problem}</p>}
      {isCut && <p className="small quiet">This is its end; the file has all of it.</p>}
      {lines.length === 0 ? (
        <p className="small quiet">{bytes === null ? 'Nothing yet.' : 'It wrote nothing.'}</p>
      ) : (
        <div
          ref={box}
          onScrollCapture={(event) => {
            const { scrollHeight, scrollTop, clientHeight } = event.target as HTMLElement;
            isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
          }}
        >
          <Terminal lines={lines} label={`Output of ${step}, attempt ${String(attempt)}`} />
        </div>
      )}
      <p className="small">
        <a href={file} download={`${step}-${String(attempt)}.txt`}>
          Save the output
        </a>
      </p>
    </div>
  );
}

function useOutput({ runId, step, attempt, bytes }: Of) {
  const [output, setOutput] = useState(NO_OUTPUT);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let isOver = false;
    let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
    const read = async (): Promise<void> => {
      const from = Math.max(0, (bytes ?? 0) - SHOWN_BYTES);
      const answer = await client.output(runId, step, attempt, from, bytes === null);
      if (!answer.ok) {
        if (!isOver) setProblem(answer.error.detail);
        return;
      }
      reader = answer.value.getReader();
      const decoder = new TextDecoder();
      let shown = NO_OUTPUT;
      setOutput(shown);
      for (;;) {
        const { done, value } = await reader.read();
        if (done || isOver) return;
        shown = withOutput(shown, decoder.decode(value, { stream: true }));
        setOutput(shown);
      }
    };
    read().catch((error: unknown) => {
      // The connection broke, or the page went on to something else.
      if (!isOver) setProblem(error instanceof Error ? error.message : 'The output broke off.');
    });
    return () => {
      isOver = true;
      void reader?.cancel();
    };
  }, [runId, step, attempt, bytes]);
  return { output, problem };
}
