// The policy network on ONNX Runtime: one run gives scores of candidate sets and levels for every stage, and prices of
// limits.
import { createSession, type Session, type Tensor, tensor } from '../../engine/index.ts';
import { type Model, readModel } from '../../onnx/index.ts';
import { assertFiniteWeights } from '../../onnx/internal.ts';
import type { PlanningInstance } from '../../plan/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { firstNonFinite } from '../../util/internal.ts';
import { LimitPrices } from './candidate-pass.ts';
import { FEATURES } from './feature-names.ts';
import { Features } from './features.ts';
import { decompress } from './network.ts';

/** The network's output: raw scores, and prices in the instance's own units. */
export interface PolicyOutput {
  /** `[stage * sets + s]`: larger is better; legal sets only count. */
  readonly sets: Float32Array;
  readonly levels: Float32Array;
  readonly prices: LimitPrices;
}

/** A session with its input arrays. */
export class PolicyNetwork {
  readonly features = new Features();
  readonly #session: Session;
  readonly #prices = new LimitPrices();

  private constructor(session: Session) {
    this.#session = session;
  }

  /**
   * @throws BedsideError E_MODEL for another kind of model, weights that are not finite, or a policy that reads other
   * features; E_ENGINE
   */
  static async open(model: Model | Uint8Array, name: string): Promise<PolicyNetwork> {
    const read = model instanceof Uint8Array ? readModel(model, name) : model;
    assertPolicy(read, name);
    assertFiniteWeights(read, name);
    return new PolicyNetwork(await createSession(model, { name }));
  }

  /**
   * @throws BedsideError E_MODEL for a policy with other outputs; E_NOT_FINITE for features, scores or prices that are
   * NaN or infinite
   */
  async run(instance: PlanningInstance): Promise<PolicyOutput> {
    const f = this.features;
    f.load(instance);
    const feeds = this.#feeds();
    for (const [name, { data }] of Object.entries(feeds))
      assertFinite(data as Float32Array, `reads '${name}'`);
    const given = await this.#session.run(feeds);
    const { stages: L, devices: D, sets: S, levels: P } = f;
    readPrices(this.#prices, floats(given, 'prices', 2), floats(given, 'devices', 2 * D), f, f.most);
    return {
      sets: floats(given, 'sets', L * S),
      levels: floats(given, 'levels', L * P),
      prices: this.#prices,
    };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  #feeds(): Record<string, Tensor> {
    const f = this.features;
    const { stages: L, devices: D, sets: S, levels: P } = f;
    return {
      request: tensor(f.request, [1, 1, 1, FEATURES.request]),
      stage: tensor(f.stage.subarray(0, L * FEATURES.stage), [1, L, 1, FEATURES.stage]),
      device: tensor(f.device.subarray(0, D * FEATURES.device), [1, 1, D, FEATURES.device]),
      pair: tensor(f.pair.subarray(0, L * D * FEATURES.pair), [1, L, D, FEATURES.pair]),
      link: tensor(f.link.subarray(0, D * D * FEATURES.link), [1, D, D, FEATURES.link]),
      set: tensor(f.set.subarray(0, L * S * FEATURES.set), [1, L, S, FEATURES.set]),
      members: tensor(f.members.subarray(0, L * S * D), [1, L, S, D]),
      level: tensor(f.level.subarray(0, L * P * FEATURES.level), [1, L, P, FEATURES.level]),
    };
  }
}

/** Checks that a model reads the features of this version. */
function assertPolicy({ graph }: Model, name: string): void {
  const widths = new Map(graph.inputs.map((input) => [input.name, input.dims?.at(-1)]));
  const wrong = Object.entries(FEATURES).find(([kind, width]) => widths.get(kind) !== width);
  if (!wrong && widths.has('members')) return;
  throw new BedsideError('E_MODEL', `${name} is not a policy of this version`, {
    hint: 'make one with `bedside train`, or leave --policy out for the one that is shipped',
  });
}

/**
 * Prices in the instance's units from what the network gives.
 * @param whole of the deadline and of all loss allowed; `perDevice` `[device, memory or energy]`
 */
export function readPrices(
  prices: LimitPrices,
  whole: ArrayLike<number>,
  perDevice: ArrayLike<number>,
  { devices: D, unit }: { readonly devices: number; readonly unit: number },
  most: number,
): void {
  prices.reset(D);
  prices.time = decompress(whole[0] as number) * unit;
  prices.step = (decompress(whole[1] as number) * unit) / Math.max(1, most);
  for (let d = 0; d < D; d++) {
    prices.memory[d] = decompress(perDevice[2 * d] as number) * unit;
    prices.energy[d] = decompress(perDevice[2 * d + 1] as number) * unit;
  }
}

/** @throws BedsideError E_MODEL for a policy that does not give as many; E_NOT_FINITE */
function floats(given: Record<string, Tensor>, name: string, length: number): Float32Array {
  const value = given[name];
  if (value?.type !== 'float32' || value.data.length !== length) {
    const what = value ? `${value.type} [${value.dims.join(', ')}]` : 'nothing';
    throw new BedsideError(
      'E_MODEL',
      `the policy gives ${what} as '${name}', expected float32, ${length} in all`,
      {
        hint: 'make one with `bedside train`, or leave --policy out for the one that is shipped',
      },
    );
  }
  assertFinite(value.data, 'gives scores');
  return value.data;
}

function assertFinite(data: Float32Array, does: string): void {
  const at = firstNonFinite(data);
  if (at < 0) return;
  throw new BedsideError('E_NOT_FINITE', `the policy ${does} of which entry ${at} is ${data[at]}`, {
    hint: 'look at the figures of fleet and request, or leave --policy out for the policy that is shipped',
  });
}
