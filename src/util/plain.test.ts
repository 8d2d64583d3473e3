import { describe, expect, it } from 'vitest';
import { plainJson, plainLine, plainText } from './plain.ts';

describe('text that others wrote', () => {
  it.each([
    ['red \x1b[31m', 'red \\u001b[31m'],
    ['clears \x1b[2J\x9bH', 'clears \\u001b[2J\\u009bH'],
    ['title \x1b]0;x\x07', 'title \\u001b]0;x\\u0007'],
    ['a\nb\rc\td', 'a\\nb\\rc\\td'],
    ['back\b\x7f', 'back\\u0008\\u007f'],
    ['turned \u202egnp.exe\u2066', 'turned \\u202egnp.exe\\u2066'],
    ['lines \u2028\u2029', 'lines \\u2028\\u2029'],
    ['hidden \u200b\ufeff\u{e0041}', 'hidden \\u200b\\ufeff\\u{e0041}'],
    ['half \ud800.', 'half \\ud800.'],
    ['Größe, 心电图, ‮'.slice(0, 9), 'Größe, 心电'],
    ['می‌خواهم 👩‍⚕️ \\u001b', 'می‌خواهم 👩‍⚕️ \\u001b'],
  ])('%j as one line', (text, line) => {
    expect(plainLine(text)).toBe(line);
    expect(plainLine(line)).toBe(line);
  });

  it('of several lines keeps them', () => {
    expect(plainText('a\n\tb\r\x1b[0m')).toBe('a\n\tb\\r\\u001b[0m');
  });

  it('as JSON means the same, and shows nothing', () => {
    const value = { 'k\u202e': 'a\n\x1b[31m\x9b\u2028\u{e0041}\ud800é' };
    const json = plainJson(JSON.stringify(value));
    expect(JSON.parse(json)).toEqual(value);
    expect(json).toMatch(/^[\x20-\x7eé]*$/);
  });
});
