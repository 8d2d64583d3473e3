import { expect, it } from 'vitest';
import { integersOf } from './input-integers.ts';

const of = (value: (at: number) => number, sampleShape: readonly number[], size = 20) => {
  const length = sampleShape.reduce((all, one) => all * one, size);
  const samples = Float32Array.from({ length }, (_, at) => value(at));
  return integersOf({ samples, sampleShape, size });
};

it('samples are made of the integers that all of them are made of', () => {
  const image = [3, 16, 16];
  expect(of((at) => ((at * 37) % 256) / 255, image)).toBe(8);
  expect(of((at) => ((at * 37) % 4096) * 0.005 - 10, [2, 1000])).toBe(16);
  // One of 8 bits and one of 12 go as 16 bits, and one of none as float32.
  expect(of((at) => (at < 5000 ? at % 256 : (at * 7) % 4096) / 255, image)).toBe(16);
  expect(of((at) => (at < 5000 ? (at % 256) / 255 : Math.sin(at)), image)).toBeUndefined();
  expect(of(Math.sin, image)).toBeUndefined();
});

it('few numbers go as they are', () => {
  expect(of((at) => at % 256, [1, 256])).toBeUndefined();
  expect(of((at) => at % 256, [1, 16, 20])).toBe(8);
});
