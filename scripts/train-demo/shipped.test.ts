import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { generateEcg } from '../../src/data/index.ts';
import { createSession, tensor } from '../../src/engine/index.ts';
import { accuracy } from './train.ts';

const folder = new URL('../../models/', import.meta.url);

describe('models/ecg-demo.onnx', () => {
  it('classifies beats it has never seen about as well as its card says', async () => {
    const bytes = await readFile(new URL('ecg-demo.onnx', folder));
    const card = await readFile(new URL('README.md', folder), 'utf8');
    const stated = Number(/Test accuracy \*\*([\d.]+) %/.exec(card)?.[1]) / 100;
    const data = generateEcg({ perClass: 120, seed: 20_031_003, split: 'test' });
    const session = await createSession(bytes, { name: 'ecg-demo.onnx' });
    const { logits } = await session.run({ input: tensor(data.samples, [data.size, 1, 256]) });
    await session.release();
    // Three standard errors of a proportion over 600 beats are 2.4 points at 96 %.
    expect(Math.abs(accuracy(data, logits!.data as Float32Array) - stated)).toBeLessThan(0.025);
  });

  it('is the file its card describes', async () => {
    const bytes = await readFile(new URL('ecg-demo.onnx', folder));
    const card = await readFile(new URL('README.md', folder), 'utf8');
    expect(card).toContain(createHash('sha256').update(bytes).digest('hex'));
    expect(bytes.length).toBeLessThan(600_000);
  });
});
