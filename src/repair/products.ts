// Large matrix products in float64, computed by the engine.
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

type Kind = 'ab' | 'atb' | 'abt' | 'minusAb' | 'minusAtb' | 'minusAbt';

/** The products that ridge regression needs. Holds engine sessions, so it must be released. */
export class Products {
  /** For copies of a large matrix that one product after another reads. */
  readonly scratch = new RowMemory();
  readonly #sessions: Readonly<Record<Kind, Session>>;
  readonly #threads: number;
  #rough: Promise<Session> | undefined;

  private constructor(sessions: Readonly<Record<Kind, Session>>, threads: number) {
    this.#sessions = sessions;
    this.#threads = threads;
  }

  static async create(threads: number): Promise<Products> {
    const [ab, atb, abt, minusAb, minusAtb, minusAbt] = await Promise.all([
      product(false, false, false, threads),
      product(true, false, false, threads),
      product(false, true, false, threads),
      product(false, false, true, threads),
      product(true, false, true, threads),
      product(false, true, true, threads),
    ]);
    return new Products({ ab, atb, abt, minusAb, minusAtb, minusAbt }, threads);
  }

  /** `a b` */
  ab(a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('ab', a, b, a.rows, b.columns);
  }

  /** `a^T b` */
  atb(a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('atb', a, b, a.columns, b.columns);
  }

  /** `a^T b` in float32, at more than twice the speed; both are row by row, with so many `rows`. */
  async roughAtb(a: Float32Array, b: Float32Array, rows: number): Promise<Float32Array> {
    this.#rough ??= product(true, false, false, this.#threads, ELEM.float32);
    const value = (data: Float32Array) =>
      ({ type: 'float32', dims: [rows, data.length / rows], data }) as const;
    const { product: result } = await (await this.#rough).run({ a: value(a), b: value(b) });
    return must(result?.type === 'float32' ? result.data : undefined, 'a product is not float32');
  }

  /** `a b^T` */
  abt(a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('abt', a, b, a.rows, b.rows);
  }

  /** `c - a b` */
  minusAb(c: Matrix, a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('minusAb', a, b, c.rows, c.columns, c);
  }

  /** `c - a^T b` */
  minusAtb(c: Matrix, a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('minusAtb', a, b, c.rows, c.columns, c);
  }

  /** `c - a b^T` */
  minusAbt(c: Matrix, a: Matrix, b: Matrix): Promise<Matrix> {
    return this.#run('minusAbt', a, b, c.rows, c.columns, c);
  }

  async release(): Promise<void> {
    await Promise.all(Object.values(this.#sessions).map((session) => session.release()));
    await (await this.#rough)?.release();
  }

  async #run(kind: Kind, a: Matrix, b: Matrix, rows: number, columns: number, c?: Matrix): Promise<Matrix> {
    const value = (matrix: Matrix) =>
      ({ type: 'float64', dims: [matrix.rows, matrix.columns], data: matrix.data }) as const;
    const feeds = { a: value(a), b: value(b), ...(c ? { c: value(c) } : {}) };
    const { product: result } = await this.#sessions[kind].run(feeds);
    const data = must(result?.type === 'float64' ? result.data : undefined, 'a product is not float64');
    return { rows, columns, data };
  }
}

function product(
  transA: boolean,
  transB: boolean,
  minus: boolean,
  threads: number,
  type: number = ELEM.float64,
): Promise<Session> {
  const builder = new GraphBuilder();
  builder.input('a', ['m', 'k'], type);
  builder.input('b', ['k2', 'n'], type);
  if (minus) builder.input('c', ['m2', 'n2'], type);
  const attributes = {
    transA: int(transA ? 1 : 0),
    transB: int(transB ? 1 : 0),
    ...(minus ? { alpha: float(-1) } : {}),
  };
  const inputs = minus ? ['a', 'b', 'c'] : ['a', 'b'];
  builder.output(builder.node('Gemm', inputs, attributes, 'product'), undefined, type);
  return createSession(builder.model(), { name: 'matrix product', threads, arena: false, spinning: false });
}
