// Whether the engine computes products of uint8 and int8 exactly on this machine. With AVX2 alone it adds two of them in 16
// bits, which overflow; with VNNI, and on ARM, it does not.
import { createSession, tensor } from '../engine/index.ts';
import { constantOfKnown, ELEM, GraphBuilder, int } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { WEIGHT_LIMITS } from './integers.ts';

const ROWS = 4;
const DEPTH = 64;
const COLUMNS = 32;

let known: Promise<boolean> | undefined;

/** Multiplies the largest integers and looks whether the sum is right; asked once for each process. */
export function saturates(): Promise<boolean> {
  known ??= probe();
  return known;
}

async function probe(): Promise<boolean> {
  const builder = new GraphBuilder();
  const input = builder.input('input', [ROWS, DEPTH]);
  const data = new Float64Array(DEPTH * COLUMNS).fill(WEIGHT_LIMITS.full);
  const weights = constantOfKnown({ elemType: 3, dims: [DEPTH, COLUMNS], data });
  const right = builder.constant(must(weights, 'int8 weights'), 'weights');
  const left = builder.node('Cast', [input], { to: int(ELEM.uint8) });
  const product = builder.node('MatMulInteger', [left, right]);
  builder.output(builder.node('Cast', [product], { to: int(ELEM.float32) }, 'product'), [ROWS, COLUMNS]);
  const session = await createSession(builder.model(), { name: 'product of integers' });
  try {
    const given = new Float32Array(ROWS * DEPTH).fill(255);
    const { product: found } = await session.run({ input: tensor(given, [ROWS, DEPTH]) });
    const exact = 255 * WEIGHT_LIMITS.full * DEPTH;
    return must(found, 'a product').data.some((value) => value !== exact);
  } finally {
    await session.release();
  }
}
