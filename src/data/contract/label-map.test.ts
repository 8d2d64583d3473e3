// Labels of data as classes of a network: by map, by name, by position, with labels left out.
import { describe, expect, it } from 'vitest';
import { LabelMap } from './label-map.ts';

const BEATS = ['N', 'S', 'V', 'F', 'Q'];
const labels = Int32Array.from([0, 1, 2, 3, 4, 4, 0]);
const names = ['N', 'S', 'V', 'F'];

describe('data that names its labels', () => {
  it('is matched by name; labels without a class are left out and counted', () => {
    const map = LabelMap.named({ classes: 4, contract: { classes: ['F', 'V', 'S', 'N'] } }, BEATS, 'd');
    const { labels: mapped, leftOut } = map.apply(labels);
    expect([...mapped]).toEqual([3, 2, 1, 0, -1, -1, 3]);
    expect(leftOut).toEqual([
      { reason: 'samples labelled Q, for which the network has no class', count: 2, examples: [] },
    ]);
    expect(map.classNames).toEqual(['F', 'V', 'S', 'N']);
  });

  it('is mapped as told, by index or by name', () => {
    for (const contract of [
      { classMap: { N: 0, S: 1, V: 2, F: 3, Q: null } },
      { classes: names, classMap: { N: 'N', S: 'S', V: 'V', F: 'F', Q: null } },
      { classes: names, classMap: { Q: null } },
    ]) {
      const map = LabelMap.named({ classes: 4, contract }, BEATS, 'd');
      expect([...map.apply(labels).labels]).toEqual([0, 1, 2, 3, -1, -1, 0]);
      expect(map.classNames).toEqual(names);
    }
  });

  it('may give several labels to one class', () => {
    const map = LabelMap.named(
      { classes: 2, contract: { classMap: { N: 0, S: 1, V: 1, F: 1, Q: 1 } } },
      BEATS,
      'd',
    );
    expect([...map.apply(labels).labels]).toEqual([0, 1, 1, 1, 1, 1, 0]);
    expect(map.classNames).toEqual(['N', 'S+V+F+Q']);
  });

  it('is taken as it is where the names are the same, and in order where none agrees, which is said', () => {
    expect(
      LabelMap.named({ classes: 5, contract: { classes: BEATS } }, BEATS, 'd').apply(labels).labels,
    ).toBe(labels);
    expect(LabelMap.named({ classes: 5 }, BEATS, 'd').classNames).toBe(BEATS);
    const other = LabelMap.named(
      { classes: 5, contract: { classes: ['a', 'b', 'c', 'd', 'e'] } },
      BEATS,
      'd',
    );
    expect(other.apply(labels).labels).toBe(labels);
    expect(other.remarks).toEqual([expect.stringMatching(/^no label of d \(N, S, V, F, Q\) has the name/)]);
  });

  it('is refused where labels have no class', () => {
    expect(() => LabelMap.named({ classes: 4 }, BEATS, 'd')).toThrow(
      'the model has 4 classes, the data has 5',
    );
    const partly = LabelMap.named({ classes: 4, contract: { classMap: { N: 0 } } }, BEATS, 'd');
    expect(() => partly.apply(labels)).toThrow('the class map does not say which class label S is');
    expect(() => LabelMap.named({ classes: 4, contract: { classMap: { N: 4 } } }, BEATS, 'd')).toThrow(
      'the class map says that N is 4, but the network has 4 classes: 0, 1, 2, 3',
    );
    expect(() => LabelMap.named({ classes: 4, contract: { classMap: { X: 0 } } }, BEATS, 'd')).toThrow(
      'the class map names no label of d: its labels are N, S, V, F, Q',
    );
  });
});

describe('data whose labels are numbers', () => {
  it('keeps them without a map, under the names of the network', () => {
    const map = LabelMap.numbered({ classes: 5, contract: { classes: BEATS } }, labels, 'd');
    expect(map.apply(labels).labels).toBe(labels);
    expect(map.classNames).toEqual(BEATS);
  });

  it('is mapped as told', () => {
    const map = LabelMap.numbered(
      { classes: 2, contract: { classMap: { 0: 1, 1: 0, 2: null, 3: null, 4: 0 } } },
      labels,
      'd',
    );
    expect([...map.apply(labels).labels]).toEqual([1, 0, -1, -1, 0, 0, 1]);
  });

  it('takes room for the labels that occur, however high they are', () => {
    const high = Int32Array.of(0, 2_000_000_000);
    const map = LabelMap.numbered(
      { classes: 2, contract: { classMap: { 0: 1, 2000000000: null } } },
      high,
      'd',
    );
    expect([...map.apply(high).labels]).toEqual([1, -1]);
  });
});
