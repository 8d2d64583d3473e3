// Command lines that name nothing, or something that is not there: a sentence and a code, wherever --json stands.
import { describe, expect, it } from 'vitest';
import { runHere } from './test-support/in-process.ts';
import { inOrder } from './words.ts';

const GROUP = /^cluster needs one of its commands: init, add, revoke, up, status$/;

describe('a wrong command line', () => {
  it.each<[words: string, message: RegExp, hint: RegExp]>([
    ['cluster', GROUP, /bedside cluster init --help/],
    ['nope', /^unknown command 'nope'$/, /bedside --help/],
    ['inspct x', /^unknown command 'inspct'$/, /Did you mean inspect\?/],
    ['help nope', /^unknown command 'nope'$/, /bedside --help/],
    ['help inspct', /^unknown command 'inspct'$/, /Did you mean inspect\?/],
    ['help cluster nope', /^unknown command 'nope'$/, /bedside cluster --help/],
    ['cluster help ini', /^unknown command 'ini'$/, /Did you mean init\?/],
    ['help inspect more', /^inspect has no commands of its own, such as 'more'$/, /inspect --help/],
    ['cluster nope', /^unknown command 'nope'$/, /bedside cluster --help/],
    ['cluster ini', /^unknown command 'ini'$/, /Did you mean init\?/],
    ['cluster add', /^missing required argument 'name'$/, /bedside cluster add --help/],
    ['audit verify x --nope', /^unknown option '--nope'$/, /bedside audit verify --help/],
    ['service certificate --nope', /^unknown option '--nope'$/, /bedside service certificate --help/],
    ['inspect', /^missing required argument 'model'$/, /bedside inspect --help/],
    ['inspect a b', /^too many arguments for 'inspect'/, /bedside inspect --help/],
    ['inspect x --jsn', /^unknown option '--jsn'$/, /Did you mean --json\?/],
    ['inspect x --nope', /^unknown option '--nope'$/, /bedside inspect --help/],
  ])('bedside %s', async (line, message, hint) => {
    const words = line.split(' ');
    const told = await runHere(words);
    expect(told.status).toBe(2);
    expect(told.stdout).toBe('');
    expect(told.stderr).toMatch(/bedside: E_USAGE: .+\n {2}hint: .+\n$/);
    expect(told.stderr).not.toContain('outputHelp');
    for (const given of [
      [...words, '--json'],
      ['--json', ...words],
      ['--quiet', '--json', ...words],
    ]) {
      const { status, stdout, stderr } = await runHere(given);
      expect([status, stderr]).toEqual([2, '']);
      expect(JSON.parse(stdout)).toEqual({
        error: {
          code: 'E_USAGE',
          message: expect.stringMatching(message),
          hint: expect.stringMatching(hint),
        },
      });
    }
  });

  it('bedside cluster alone shows its help', async () => {
    const { stderr } = await runHere(['cluster']);
    expect(stderr).toMatch(/^Usage: bedside cluster .*init \[options\].*add .*E_USAGE/s);
  });

  it('of flags only', async () => {
    const { status, stdout } = await runHere(['--json']);
    expect([status, JSON.parse(stdout).error]).toMatchObject([2, { message: 'no command is named' }]);
  });

  it('nothing and help are no failure', async () => {
    for (const [words, shown] of [
      [[], /Usage: bedside \[options\]/],
      [['help'], /Usage: bedside \[options\]/],
      [['help', 'inspect'], /Usage: bedside inspect/],
      [['help', 'cluster', 'init'], /Usage: bedside cluster init/],
      [['cluster', 'help'], /Usage: bedside cluster/],
    ] as const) {
      const { status, stdout } = await runHere(words);
      expect(status).toBe(0);
      expect(stdout).toMatch(shown);
    }
  });
});

describe('flags before the command', () => {
  it.each([
    ['--json inspect x', 'inspect --json x'],
    ['--json --quiet cluster add x', 'cluster add --json --quiet x'],
    ['cluster --json add x', 'cluster add --json x'],
    ['--json cluster --quiet init', 'cluster init --json --quiet'],
    ['infer b --data --json', 'infer b --data --json'],
    ['--version', '--version'],
  ])('%s is read as %s', (given, read) => {
    expect(inOrder(given.split(' '), new Set(['cluster'])).join(' ')).toBe(read);
  });
});
