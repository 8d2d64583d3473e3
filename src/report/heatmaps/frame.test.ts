// Words around the pictures: titles, verdicts, legends, probabilities, file names; nothing breaks out of its place.
import { describe, expect, it } from 'vitest';
import { html } from '../html/html.ts';
import { fileName, probabilityText } from './explained.ts';
import { frame, type Picture, relevanceText, words } from './frame.ts';
import { indexPage } from './index-page.ts';
import { explained } from './test-support/explained.ts';

const picture: Picture = { height: 100, body: html`<g/>`, scale: 0.0123, notes: ['a note'] };

describe('the words', () => {
  it('ask why, and say how probable it is and what is true', () => {
    expect(words(explained())).toEqual({
      title: 'Why ‘b’? 97.2 % probability',
      subtitle: 'True class: b · the network answers b, which is correct · sample 7',
    });
  });

  it('say when the network is wrong', () => {
    const { title, subtitle } = words(explained({ label: 2, target: 2, origin: 'record 208' }));
    expect(title).toBe('Why ‘c’? 0.8 % probability');
    expect(subtitle).toBe(
      'True class: c · the network answers b, which is wrong · sample 7, from record 208',
    );
  });

  it('know no truth without labels', () => {
    expect(words(explained({ label: undefined })).subtitle).toBe('The network answers b · sample 7');
  });

  it('put kinds of beats in words, for beats alone', () => {
    const beat = { rate: 360, peak: 100 };
    const named = { classNames: ['N', 'V', 'x'] };
    expect(words(explained({ ...named, beat })).subtitle).toContain(
      'True class: V (ventricular ectopic beat)',
    );
    expect(words(explained(named)).subtitle).toContain('True class: V ·');
  });

  it('round honestly', () => {
    expect([0, 0.0001, 0.0005, 0.5, 0.9994, 0.99999, 1, Number.NaN].map(probabilityText)).toEqual([
      '0.0 %',
      '< 0.1 %',
      '0.1 %',
      '50.0 %',
      '99.9 %',
      '> 99.9 %',
      '100.0 %',
      '–',
    ]);
    expect([0, 0.01234, -0.5, 1234, Number.NaN].map(relevanceText)).toEqual([
      '0',
      '0.012',
      '−0.5',
      '1200',
      '0',
    ]);
  });
});

describe('the frame', () => {
  it('says what red and blue mean, the scale, the criterion and its source', () => {
    const svg = frame(explained(), picture);
    for (const part of [
      'speaks for ‘b’',
      'speaks against ‘b’',
      '>−0.012</text>',
      '>0.012</text>',
      'lrp-gamma: relevance, gamma rule',
      'Montavon et al., 2019',
      'a note',
      'explained, true class',
    ]) {
      expect(svg).toContain(part);
    }
  });

  it('does not call a gradient a contribution', () => {
    const { criterion } = explained();
    const svg = frame(explained({ criterion: { ...criterion, meaning: 'sensitivity' } }), picture);
    expect(svg).toContain('more signal speaks for ‘b’');
  });

  it('shows the explained and the true class however improbable, and at most six', () => {
    const classNames = Array.from({ length: 20 }, (_, k) => `c${k}`);
    const probabilities = classNames.map((_, k) => (20 - k) / 210);
    const svg = frame(explained({ classNames, probabilities, target: 18, label: 19 }), picture);
    const shown = [...svg.matchAll(/text-anchor="end">(c\d+)<\/text>/g)].map((m) => m[1]);
    expect(shown).toEqual(['c0', 'c1', 'c2', 'c3', 'c18', 'c19']);
    expect(svg).toContain('Probabilities (6 of 20 classes)');
  });

  it('escapes every text, and stays well-formed', () => {
    const evil = `<script>"x"&'y'</script>`;
    const svg = frame(
      explained({
        classNames: [evil, evil, evil],
        origin: evil,
        criterion: { name: evil, summary: evil, source: evil, meaning: 'contribution' },
      }),
      { ...picture, notes: [evil] },
    );
    expect(svg).not.toMatch(/<script|"x"|'y'/);
    expect(unbalanced(svg)).toEqual([]);
    const page = indexPage({
      title: evil,
      lead: evil,
      sections: [{ name: evil, pictures: [{ file: `a"b.svg`, title: evil }] }],
      layers: 'layers.svg',
    });
    expect(page).not.toMatch(/<script|"x"|'y'|a"b/);
  });

  it('needs nothing from outside', () => {
    const svg = frame(explained(), picture).replace('xmlns="http://www.w3.org/2000/svg"', '');
    expect(svg).not.toMatch(/https?:|url\(|@import|<style/);
  });
});

describe('file names', () => {
  it.each([
    ['V', '007-V.svg'],
    ['Head CT', '007-Head_CT.svg'],
    ['../../etc/passwd', '007-etc_passwd.svg'],
    ['Größe', '007-Größe.svg'],
    ['<>:"|?*', '007-class1.svg'],
    ['', '007-class1.svg'],
    ['x'.repeat(300), `007-${'x'.repeat(40)}.svg`],
  ])('%s', (name, file) => {
    expect(fileName(explained({ classNames: ['a', name, 'c'] }), 3)).toBe(file);
  });

  it('carry the true class, or the explained one where none is known', () => {
    expect(fileName(explained({ label: 2 }), 1)).toBe('7-c.svg');
    expect(fileName(explained({ label: undefined }), 1)).toBe('7-b.svg');
    expect(fileName(explained({ classNames: [] }), 1)).toBe('7-1.svg');
  });
});

/** Tags that are opened and not closed, or the other way round. */
function unbalanced(svg: string): string[] {
  const open: string[] = [];
  for (const [, slash, name = '', self] of svg.matchAll(/<(\/?)([a-z][\w-]*)\b[^>]*?(\/?)>/g)) {
    if (self) continue;
    if (!slash) open.push(name);
    else if (open.pop() !== name) return [name];
  }
  return open;
}
