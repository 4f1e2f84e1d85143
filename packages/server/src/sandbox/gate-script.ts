/**
 * The first program inside every sandbox: it waits for leave on descriptor 3, says on descriptor 4 what becomes of the
 * program, and turns into it. When the host dies before it has recorded the process, descriptor 3 closes and nothing
 * ever runs.
 */
export const GO_FD = 3;
export const STAGE_FD = 4;

const GATE_SCRIPT: string = [
  `read -r go <&${GO_FD} || exit 125`,
  `if ! command -v -- "$1" >/dev/null 2>&1; then echo missing >&${STAGE_FD}; exit 127; fi`,
  `echo ran >&${STAGE_FD}`,
  `exec "$@" ${GO_FD}<&- ${STAGE_FD}>&-`,
].join('\n');

export function gated(program: readonly string[]): readonly string[] {
  return ['/bin/sh', '-c', GATE_SCRIPT, 'sh', ...program];
}
