// Large matrix products in float64 or float32, computed by the engine.
import { createSession, type Session } from '../engine/index.ts';
import { ELEM, float, GraphBuilder, int } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { RowMemory } from './row-memory.ts';

/** A row-major matrix. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** Which factor is transposed, and whether the product is subtracted. */
const KINDS = {
  ab: { a: 0, b: 0, minus: false },
  atb: { a: 1, b: 0, minus: false },
  abt: { a: 0, b: 1, minus: false },
  minusAb: { a: 0, b: 0, minus: true },
  minusAtb: { a: 1, b: 0, minus: true },
  minusAbt: { a: 0, b: 1, minus: true },
} as const;
type Kind = keyof typeof KINDS;
/** Of a graph that computes one: the factors, and what their product is subtracted from. */
const INPUTS = ['a', 'b', 'c'] as const;

/** Multiply-adds from which float32 is worth the conversion. */
const LEAST_ROUGH = 2e8;

/** The products that ridge regression needs. Holds engine sessions, so it must be released. */
export class Products {
  /** For copies of a large matrix that one product after another reads. */
  readonly scratch = new RowMemory();
  /**
   * The same, but large products are computed in float32, at more than twice the speed: for activations, which are float32
   * themselves, and for sums of which five digits are enough.
   */
  readonly rough: Products;
  readonly #sessions: Readonly<Record<Kind, Session>>;
  readonly #threads: number;
  readonly #float32: Map<Kind, Promise<Session>> | undefined;

  private constructor(
    sessions: Readonly<Record<Kind, Session>>,
    threads: number,
    float32?: Map<Kind, Promise<Session>>,
  ) {
    this.#sessions = sessions;
    this.#threads = threads;
    this.#float32 = float32;
    this.rough = float32 ? this : new Products(sessions, threads, new Map());
  }

  static async create(threads: number): Promise<Products> {
    const kinds = Object.keys(KINDS) as Kind[];
    const sessions = await Promise.all(
      kinds.map(async (kind) => [kind, await product(kind, threads)] as const),
    );
    return new Products(Object.fromEntries(sessions) as Record<Kind, Session>, threads);
  }

  /** `a b` */
  ab(a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('ab', [a, b], [a.rows, a.columns, b.columns]);
  }

  /** `a^T b` */
  atb(a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('atb', [a, b], [a.columns, a.rows, b.columns]);
  }

  /** `a b^T` */
  abt(a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('abt', [a, b], [a.rows, a.columns, b.rows]);
  }

  /** `c - a b` */
  minusAb(c: Matrix, a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('minusAb', [a, b, c], [c.rows, a.columns, c.columns]);
  }

  /** `c - a^T b` */
  minusAtb(c: Matrix, a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('minusAtb', [a, b, c], [c.rows, a.rows, c.columns]);
  }

  /** `c - a b^T` */
  minusAbt(c: Matrix, a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('minusAbt', [a, b, c], [c.rows, a.columns, c.columns]);
  }

  /** `a^T b` in float32, of numbers that are; both are row by row, with so many `rows`. */
  async roughAtb(a: Float32Array, b: Float32Array, rows: number): Promise<Float32Array> {
    const feeds = [a, b].map((data) => ({ dims: [rows, data.length / rows], data }));
    return await this.rough.#runFloat32('atb', feeds);
  }

  async release(): Promise<void> {
    const rough = await Promise.all(this.rough.#float32?.values() ?? []);
    await Promise.all([...Object.values(this.#sessions), ...rough].map((session) => session.release()));
  }

  async #run(
    kind: Kind,
    factors: readonly Matrix[],
    [rows, inner, columns]: readonly [number, number, number],
  ): Promise<Matrix> {
    if (this.#float32 && rows * inner * columns >= LEAST_ROUGH) {
      const feeds = factors.map((of) => ({ dims: [of.rows, of.columns], data: Float32Array.from(of.data) }));
      return { rows, columns, data: Float64Array.from(await this.#runFloat32(kind, feeds)) };
    }
    const feeds = factors.map(
      (of, i) =>
        [INPUTS[i], { type: 'float64', dims: [of.rows, of.columns], data: of.data } as const] as const,
    );
    const { product: result } = await this.#sessions[kind].run(Object.fromEntries(feeds));
    const data = must(result?.type === 'float64' ? result.data : undefined, 'a product is not float64');
    return { rows, columns, data };
  }

  async #runFloat32(
    kind: Kind,
    factors: readonly { readonly dims: readonly number[]; readonly data: Float32Array }[],
  ): Promise<Float32Array> {
    const sessions = must(this.#float32, 'products in float32');
    const session = sessions.get(kind) ?? product(kind, this.#threads, ELEM.float32);
    sessions.set(kind, session);
    const feeds = factors.map((of, i) => [INPUTS[i], { type: 'float32', ...of } as const] as const);
    const { product: result } = await (await session).run(Object.fromEntries(feeds));
    return must(result?.type === 'float32' ? result.data : undefined, 'a product is not float32');
  }
}

function product(kind: Kind, threads: number, type: number = ELEM.float64): Promise<Session> {
  const { a, b, minus } = KINDS[kind];
  const builder = new GraphBuilder();
  builder.input('a', ['m', 'k'], type);
  builder.input('b', ['k2', 'n'], type);
  if (minus) builder.input('c', ['m2', 'n2'], type);
  const attributes = {
    transA: int(a),
    transB: int(b),
    ...(minus ? { alpha: float(-1) } : {}),
  };
  const inputs = INPUTS.slice(0, minus ? 3 : 2);
  builder.output(builder.node('Gemm', inputs, attributes, 'product'), undefined, type);
  return createSession(builder.model(), { name: 'matrix product', threads, arena: false, spinning: false });
}
