/** Scripts that nobody would write, from one seed: pieces of the language put together at random, then damaged a little. */

export type Draw = (below: number) => number;

/** mulberry32: the same seed draws the same numbers everywhere. */
export function createDraw(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Programs that are there for these scripts, and write down that they ran. */
export const STUBS = ['rm', 'ls', 'git', 'curl', 'cat', 'mv', 'tee', 'env', 'xargs', 'nice', 'sh'];

const WORDS = [
  ...['a', 'b', '-rf', '-c', '--', 'x=1', '"q r"', "'s t'", "$'u\\tv'", '$a', '"$b"', '*', '?x'],
  ...['{a,b}', '\\w', '#h', 'if', 'do', 'in', '!', '~', '$1', '"$@"', '${a:-d}', '${b#x}', '$?'],
];
const DAMAGE = '"\'`\\$(){}[];&|<>\n #!=*?~a-';

export function randomScript(draw: Draw): string {
  let text = list(draw, draw(3));
  // A slash could lead out of the folder, so damage never makes one.
  for (let hits = draw(4) === 0 ? 1 + draw(3) : 0; hits > 0; hits -= 1) {
    const at = draw(text.length + 1);
    const character = DAMAGE[draw(DAMAGE.length)] ?? '';
    text = `${text.slice(0, at)}${character}${text.slice(at + draw(2))}`;
  }
  return text;
}

function pick<T>(draw: Draw, from: readonly T[]): T {
  const picked = from[draw(from.length)];
  if (picked === undefined) throw new Error('nothing to pick from');
  return picked;
}

function list(draw: Draw, depth: number): string {
  const separators = ['; ', ' && ', ' || ', '\n', ' | ', ' & ', ' |& ', ';\n'];
  let text = command(draw, depth);
  for (let more = draw(3); more > 0; more -= 1)
    text += pick(draw, separators) + command(draw, depth);
  return text;
}

function command(draw: Draw, depth: number): string {
  if (depth <= 0) return simple(draw, depth);
  const inner = (): string => list(draw, depth - 1);
  switch (draw(22)) {
    case 0:
      return `( ${inner()} )`;
    case 1:
      return `{ ${inner()}; }`;
    case 2:
      return `if ${inner()}; then ${inner()}; else ${inner()}; fi`;
    case 3:
      return `for v in ${words(draw, depth)}; do ${inner()}; break; done`;
    case 4:
      return `while ${inner()}; do ${inner()}; break; done`;
    case 5:
      return `until ${inner()}; do ${inner()}; break; done`;
    case 6:
      return `case ${word(draw, depth)} in ${pick(draw, ['a', '*', 'a|b'])}) ${inner()} ${pick(draw, [';;', ';&', ';;&'])} *) ${inner()};; esac`;
    case 7:
      return `! ${simple(draw, depth)}`;
    case 8:
      return `time ${pick(draw, ['', '-p '])}${simple(draw, depth)}`;
    case 9:
      return `[[ ${word(draw, depth)} == ${word(draw, depth)} ]]`;
    case 10:
      return `[[ -n ${word(draw, depth)} ]] && ${simple(draw, depth)}`;
    case 11:
      return `cat <<${pick(draw, ['E', "'E'", '"E"', '-E'])}\n${inner()} $(${inner()})\nE\n${simple(draw, depth)}`;
    case 12:
      return `eval ${pick(draw, ["'", '"'])}${simple(draw, 0)}${pick(draw, ["'", '"'])}`;
    case 13:
      return `f() { ${inner()}; }; f`;
    case 14:
      return `coproc ${simple(draw, depth)}`;
    case 15:
      return `a=$(${inner()})`;
    case 16:
      return `trap ${pick(draw, ["'", '"'])}${simple(draw, 0)}${pick(draw, ["'", '"'])} EXIT`;
    case 17:
      return `select v in a b; do ${inner()}; break; done`;
    case 18:
      return `(( ${pick(draw, ['1', '1+2', `$(${inner()})`, 'a[0]'])} ))`;
    default:
      return simple(draw, depth);
  }
}

function simple(draw: Draw, depth: number): string {
  const prefix =
    draw(8) === 0 ? pick(draw, ['a=1 ', 'b="x y" ', `a=$(${pick(draw, STUBS)}) `]) : '';
  const before =
    draw(12) === 0 ? pick(draw, ['command ', 'builtin ', 'exec ', 'env ', 'nice ', 'xargs ']) : '';
  const name =
    draw(10) === 0 ? quoted(draw, pick(draw, STUBS)) : pick(draw, [...STUBS, 'echo', ':']);
  const rest = words(draw, depth);
  return `${prefix}${before}${name} ${rest}${redirect(draw, depth)}`;
}

/** The same name, written in another way. */
function quoted(draw: Draw, name: string): string {
  const [first = '', ...rest] = name;
  return pick(draw, [
    `"${name}"`,
    `'${name}'`,
    `\\${name}`,
    `${first}""${rest.join('')}`,
    `$'${name}'`,
    `${first}\\\n${rest.join('')}`,
    `$(echo ${name})`,
    `{${name},x}`,
  ]);
}

function words(draw: Draw, depth: number): string {
  return Array.from({ length: draw(4) }, () => word(draw, depth)).join(' ');
}

function word(draw: Draw, depth: number): string {
  if (depth <= 0 || draw(5) > 0) return pick(draw, WORDS);
  const inner = list(draw, depth - 1);
  return pick(draw, [
    `$(${inner})`,
    `"$(${inner})"`,
    `\`${simple(draw, 0).replaceAll('`', '')}\``,
    `<(${inner})`,
    `\${a:-$(${inner})}`,
    `"\${b:+$(${inner})}"`,
    `$((1+$(${inner})))`,
    `>(${inner})`,
    `'$(${inner.replaceAll("'", '')})'`,
    `\${a[$(${inner})]}`,
  ]);
}

function redirect(draw: Draw, depth: number): string {
  if (draw(8) > 0) return '';
  return pick(draw, [
    ' > o',
    ' >> o',
    ' < o',
    ' 2>&1',
    ' <<< x',
    ` <<< "$(${simple(draw, depth - 1)})"`,
    ' &> o',
  ]);
}
