import { describe, expect, it } from 'vitest';
import { VERSION } from '../util/index.ts';
import { asksForVersion, versionText } from './version-text.ts';

describe('bedside --version', () => {
  it('says the versions, and that it is not for clinical use', async () => {
    const [first, second, third, ...rest] = (await versionText(true)).split('\n');
    expect(first).toBe(`bedside ${VERSION}`);
    expect(second).toMatch(/^.+ \d+\.\d+\.\d+, Node v\d+\.\d+\.\d+, \w+ \w+$/);
    expect(third).toBe('Research software, not for clinical use.');
    expect(rest).toEqual(['']);
  });

  it.each([
    [['--version', '--verbose'], true],
    [['--verbose', '-V'], true],
    [['--version'], true],
    [['--version', '-V'], false],
    [['--verbose'], false],
    [['--verbose', '--verbose'], false],
    [['inspect', '--version', '--verbose'], false],
  ])('is asked for by %j: %s', (words, expected) => {
    expect(asksForVersion(words)).toBe(expected);
  });
});
