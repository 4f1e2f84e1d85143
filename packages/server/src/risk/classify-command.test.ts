import type { EffectClass } from '@ccdash/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { classifyCommand } from './classify-command.ts';

const effectsOf = (script: string): readonly EffectClass[] => classifyCommand({ script }).effects;

describe('a command', () => {
  test('[RK1] is judged by its arguments: argv as it is, a script by what bash makes of it', () => {
    expect(classifyCommand({ argv: ['rm', '-rf', '/'] }).effects).toContain('destructive');
    expect(classifyCommand({ argv: ['echo', '$(rm -rf /)', '>', '/etc/x'] }).effects).toEqual([
      'reads',
    ]);
    expect(effectsOf('echo $(rm -rf /) > /etc/x')).toEqual([
      'reads',
      'writes-workspace',
      'writes-outside',
      'destructive',
    ]);
    expect(classifyCommand({ script: 'ls && (git push | tee x)' }).programs).toEqual([
      'git',
      'ls',
      'tee',
    ]);
  });

  test.each([
    'git push',
    "g''it push",
    '/usr/bin/git push',
    'env A=1 nice -n 5 timeout 9 git push',
    `bash -ec 'eval "git push"'`,
    'find . -maxdepth 0 -exec git push {} +',
    'echo "$(cat <(git push))"',
    'if ! time git push; then :; fi',
    'cat <<EOF\n`git push`\nEOF',
    'trap "git push" EXIT',
    'xargs -n 1 git push',
  ])('[RK1] is found wherever it stands: %s', (script) => {
    const { effects, programs } = classifyCommand({ script });
    expect(effects).toContain('publishes');
    expect(programs.some((name) => name.endsWith('git'))).toBe(true);
  });

  test.each([
    ['a name that is computed', '$x a'],
    ['a name of several', '{ls,-l}'],
    ['a function', 'f() { ls; }; f'],
    ['an alias', 'alias ls=rm'],
    ['a text from elsewhere', 'eval "$x"'],
    ['a shell that is fed', 'cat a | sh'],
    ['code in an argument', 'node -e 1'],
    ['code on standard input', 'python3 < a'],
    ['a program that nobody knows', 'frobnicate'],
    ['a program outside', '/opt/x/bin/tool'],
    ['arithmetic on what a variable holds', 'echo $((x))'],
    ['an index that is computed', 'echo ${a[$i]}'],
    ['a variable whose name is computed', 'echo ${!x}'],
    ['an option that starts programs', 'rg --pre x y'],
    ['the beginning of such an option', 'sort --compress-p=x y'],
    ['names of files that may be options', 'rg x *'],
    ['a file that cannot be told', 'cat "$x"'],
    ['a character that cannot be seen', 'ls\u00a0-l'],
    ['a carriage return', 'ls\r'],
    ['half a script', 'ls "'],
    ['more than can be looked through', `ls ${'a '.repeat(40_000)}`],
    ['brackets without end', `${'$('.repeat(500)}ls${')'.repeat(500)}`],
    ['shells in shells without end', nest(20)],
  ])('[RK2] is unparsed when its text does not prove what it does: %s', (_, script) => {
    expect(effectsOf(script)).toContain('unparsed');
  });

  test.each([
    ['echo "$x" | grep y > out.txt', ['reads', 'writes-workspace']],
    ['[ "$a" = "$b" ] && echo "$(date +%s)"', ['reads']],
    ['for f in src/*.ts; do wc -l src/a.ts; done', ['reads']],
    ['FOO=1 npm test', ['runs-workspace-code']],
    ["sed -E 's|a/(.*)|\\1|g;2d' a.txt", ['reads']],
    ['echo $((1 + 2 * 3)) "${x:-none}" "${#x}" "$?"', ['reads']],
  ] as const)('[RK2] is not unparsed for what changes nothing: %s', (script, effects) => {
    expect(effectsOf(script)).toEqual(effects);
  });

  test('[RK3] has words for each of its effects, in one order, the same every time', () => {
    const script = 'curl -o /etc/x https://a.example; rm -rf src; sudo git push; cat .env; $x';
    const facts = classifyCommand({ script });
    expect(facts).toEqual(classifyCommand({ script }));
    expect(facts.effects).toEqual([
      'reads',
      'writes-workspace',
      'network',
      'writes-outside',
      'destructive',
      'secrets',
      'unparsed',
      'privileged',
      'publishes',
    ]);
    expect([...new Set(facts.because.map(({ effect }) => effect))]).toEqual(facts.effects);
    expect(facts.because.every(({ text }) => text.length > 5)).toBe(true);
  });

  test('[RK3] of any text gives facts', () => {
    const part = fc.constantFrom(
      ...[
        'ls',
        'rm',
        ' ',
        '\n',
        '$(',
        ')',
        '`',
        '"',
        "'",
        '\\',
        '${',
        '}',
        '<<E',
        '|',
        '&',
        ';',
        '(',
      ],
      ...[
        '[[',
        ']]',
        '((',
        '))',
        'if',
        'fi',
        'do',
        'done',
        'case',
        'esac',
        '>',
        '<',
        '*',
        '{',
        '#',
      ],
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { maxLength: 60 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (script) => {
        expect(effectsOf(script).length).toBeGreaterThan(0);
      }),
      { seed: 20261123, numRuns: 3_000 },
    );
  });
});

describe('a file', () => {
  test.each([
    ['out.txt', 'writes-workspace'],
    ['./a/../b', 'writes-outside'],
    ['../b', 'writes-outside'],
    ['/etc/x', 'writes-outside'],
    ['~/x', 'writes-outside'],
    ['.git/config', 'writes-outside'],
    ['sub/.GIT/hooks/x', 'writes-outside'],
    ['.ccdash/policy/a.cedar', 'writes-outside'],
    ['.env', 'secrets'],
    ['/dev/sda', 'privileged'],
    ['/dev/tcp/a/1', 'network'],
    ['"$x"', 'unparsed'],
    ['a/$x', 'unparsed'],
  ] as const)('[RK4] that is written is judged by where it leads: %s', (path, effect) => {
    for (const script of [`echo x > ${path}`, `tee ${path}`, `echo x &>> ${path}`]) {
      expect(effectsOf(script)).toContain(effect);
    }
  });

  test('[RK4] is nothing when it is a stream that is open, or the outputs of the step', () => {
    expect(effectsOf('ls > /dev/null 2>&1')).toEqual(['reads']);
    expect(effectsOf('echo a=1 >> "$CCDASH_OUTPUT"')).toEqual(['reads', 'writes-workspace']);
    expect(effectsOf('echo a=1 >> "$CCDASH_OUTPUT/x"')).toContain('unparsed');
  });

  test('[RK4] lies outside once the script has left the workspace, wherever it does', () => {
    expect(effectsOf('cd src && touch a')).toEqual(['reads', 'writes-workspace']);
    for (const script of [
      'cd /; touch a',
      'cd "$x"; touch a',
      'while x; do touch a; cd ..; done',
    ]) {
      expect(effectsOf(script)).toContain('writes-outside');
    }
  });

  test.each([
    'cat .env',
    'cat a/.env.prod',
    'cat .e*',
    'cat {.env,a}',
    'cat ~/.ssh/id_rsa',
    'xargs cat',
  ])('[RK4] in which secrets are kept, or that might be one, does not pass: %s', (script) => {
    const asking = effectsOf(script).filter((each) => each === 'secrets' || each === 'unparsed');
    expect(asking).not.toEqual([]);
  });
});

describe('a variable', () => {
  test.each([
    'PATH=. ls',
    'LD_PRELOAD=./x ls',
    'export GIT_PAGER=x',
    'IFS=x; ls',
    'for PATH in a; do ls; done',
    'read -r PATH',
    'printf -v BASH_ENV x',
    'env NODE_OPTIONS=x ls',
    ': "${PATH:=x}"',
    'declare -n a=PATH',
    'export "$x"',
  ])('[RK5] by which programs do something else is unparsed wherever it is set: %s', (script) => {
    expect(effectsOf(script)).toContain('unparsed');
  });

  test('[RK5] that a step is handed counts like one that it sets', () => {
    expect(classifyCommand({ argv: ['ls'] }, ['NODE_OPTIONS']).effects).toContain('unparsed');
    expect(classifyCommand({ argv: ['ls'] }, ['CI', 'VERSION']).effects).toEqual(['reads']);
  });
});

function nest(depth: number): string {
  let script = 'ls';
  for (let index = 0; index < depth; index += 1) script = `eval ${JSON.stringify(script)}`;
  return script.length < 60_000 ? script : `eval ${'eval '.repeat(depth)}ls`;
}
