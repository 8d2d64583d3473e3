import { describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { innerProducts } from './inner-products.ts';

describe('innerProducts', () => {
  it.each([1, 2, 3, 4, 5, 7, 9])('are those of %i rows, wherever these lie', (k) => {
    const random = new Random(k);
    const columns = 13;
    const data = Float64Array.from({ length: 20 * columns }, () => random.normal());
    const rows = [...random.shuffle(Int32Array.from({ length: 20 }, (_, row) => row))].slice(0, k);
    const found = innerProducts(data, rows, columns);
    for (let i = 0; i < k; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let c = 0; c < columns; c++) {
          sum +=
            (data[(rows[i] as number) * columns + c] as number) *
            (data[(rows[j] as number) * columns + c] as number);
        }
        expect(found[i * k + j]).toBeCloseTo(sum, 12);
      }
    }
  });
});
