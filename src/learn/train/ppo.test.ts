import { defaultDevice, grad, init, jit, numpy as np, valueAndGrad } from '@jax-js/jax';
import { beforeAll, describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { Parameters } from './jax-arithmetic.ts';
import { adam, rateOf, startState, type TrainState } from './optimiser.ts';
import { gae, type PpoArrays, ppoLoss, ValueScale } from './ppo.ts';

beforeAll(async () => {
  await init('wasm');
  defaultDevice('wasm');
});

/** A problem small enough to know its optimum: states, actions that are allowed, where they lead and what they pay. */
interface Toy {
  readonly states: number;
  readonly actions: number;
  allowed(state: number, action: number): boolean;
  /** Next state, or -1 at the end; and the reward, perhaps drawn. */
  step(state: number, action: number, random: Random): { readonly next: number; readonly reward: number };
}

/**
 * PPO with one logit for each state and action and one value for each state. Returns the likeliest action of each
 * state.
 */
async function solve(toy: Toy, iterations: number, seed: number): Promise<number[]> {
  const { states: S, actions: A } = toy;
  const [episodes, length] = [16, S + 1];
  const steps = episodes * length;
  const random = new Random(seed);
  const weights = new Map([
    ['logits.weight', { dims: [S, A], data: new Float32Array(S * A) }],
    ['values.bias', { dims: [S], data: new Float32Array(S) }],
  ]);
  type Arrays = { [name: string]: np.Array };
  const loss = (parameters: Parameters, arrays: Arrays): np.Array => {
    const of = (name: string): np.Array => must(arrays[name], name).ref;
    const logits = np.matmul(of('state'), must(parameters['logits.weight'], 'logits').ref);
    const values = np.matmul(of('state'), must(parameters['values.bias'], 'values').ref);
    return ppoLoss(
      logits,
      values,
      Object.fromEntries(
        ['mask', 'chosen', 'oldLogProbability', 'advantage', 'target', 'weight'].map((name) => [
          name,
          of(name),
        ]),
      ) as unknown as PpoArrays,
      of('entropy'),
    );
  };
  const learn = jit((state: TrainState, arrays: Arrays, rate: np.Array): TrainState => {
    const own = Object.fromEntries(
      Object.entries(state.parameters).map(([name, value]) => [name, value.ref]),
    );
    const [, gradients] = valueAndGrad(loss)(own, arrays) as [np.Array, Parameters];
    return adam(state, gradients, rate).state;
  }) as unknown as (state: TrainState, arrays: Arrays, rate: np.Array) => TrainState;
  let state = startState(weights);
  const scale = new ValueScale();
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const logits = (await must(state.parameters['logits.weight'], 'logits').ref.data()) as Float32Array;
    const values = (await must(state.parameters['values.bias'], 'values').ref.data()) as Float32Array;
    const flat = (n: number) => new Float32Array(steps * n);
    const [at, mask, chosen, old, advantage, target, weight] = [
      flat(S),
      flat(A),
      flat(A),
      flat(1),
      flat(1),
      flat(1),
      flat(1),
    ];
    const [rewards, estimates, returns] = [flat(1), flat(1), flat(1)];
    for (let e = 0; e < episodes; e++) {
      let now = 0;
      let t = 0;
      for (; now >= 0; t++) {
        const row = e * length + t;
        at[row * S + now] = 1;
        let sum = 0;
        for (let a = 0; a < A; a++) {
          if (!toy.allowed(now, a)) continue;
          mask[row * A + a] = 1;
          sum += Math.exp(must(logits[now * A + a], 'logit'));
        }
        let rest = random.uniform() * sum;
        let action = -1;
        for (let a = 0; a < A && rest > 0; a++) {
          if (!toy.allowed(now, a)) continue;
          action = a;
          rest -= Math.exp(must(logits[now * A + a], 'logit'));
        }
        chosen[row * A + action] = 1;
        old[row] = must(logits[now * A + action], 'logit') - Math.log(sum);
        weight[row] = 1;
        estimates[row] = scale.real(must(values[now], 'value'));
        const { next, reward } = toy.step(now, action, random);
        rewards[row] = reward;
        now = next;
      }
      gae(
        { rewards, values: estimates, advantages: advantage, returns },
        t,
        { gamma: 1, lambda: 0.95 },
        e * length,
      );
    }
    const count = weight.reduce((sum, value) => sum + value, 0);
    scale.update([...returns].filter((_, i) => weight[i] === 1));
    const mean = advantage.reduce((sum, value) => sum + value, 0) / count;
    const deviation =
      Math.sqrt(advantage.reduce((sum, value, i) => sum + (weight[i] ? (value - mean) ** 2 : 0), 0) / count) +
      1e-6;
    for (let i = 0; i < steps; i++) {
      if (weight[i] === 0) continue;
      advantage[i] = ((advantage[i] ?? 0) - mean) / deviation;
      target[i] = scale.normal(returns[i] ?? 0);
      weight[i] = 1 / count;
    }
    for (let pass = 0; pass < 3; pass++) {
      const arrays = {
        state: np.array(at).reshape([steps, S]),
        mask: np.array(mask).reshape([steps, A]),
        chosen: np.array(chosen).reshape([steps, A]),
        oldLogProbability: np.array(old),
        advantage: np.array(advantage),
        target: np.array(target),
        weight: np.array(weight),
        entropy: np.array(0.01 * (1 - iteration / iterations)),
      };
      state = learn(state, arrays, rateOf(0.05, (iteration - 1) * 3 + pass + 1, 0));
    }
  }
  const logits = (await must(state.parameters['logits.weight'], 'logits').ref.data()) as Float32Array;
  return Array.from({ length: S }, (_, s) => {
    let best = -1;
    for (let a = 0; a < A; a++)
      if (toy.allowed(s, a) && (best < 0 || (logits[s * A + a] ?? 0) > (logits[s * A + best] ?? 0))) best = a;
    return best;
  });
}

describe('PPO', () => {
  it('finds the best arm of a noisy bandit, among those that are allowed', async () => {
    const means = [0.2, 0.9, 0.4, 5, 0.7];
    const bandit: Toy = {
      states: 1,
      actions: 5,
      allowed: (_, action) => action !== 3,
      step: (_, action, random) => ({
        next: -1,
        reward: must(means[action], 'a mean') + 0.3 * random.normal(),
      }),
    };
    expect(await solve(bandit, 40, 1)).toEqual([1]);
  });

  it('finds the shortest path, where the first step that looks best leads astray', async () => {
    // 0 -> 1 costs 1, 0 -> 2 costs 3; from 1 on it is dear, from 2 on cheap.
    const edges: Record<string, [number, number]> = {
      '0,0': [1, 1],
      '0,1': [2, 3],
      '1,0': [3, 6],
      '1,1': [4, 7],
      '2,0': [3, 1],
      '2,1': [4, 2],
      '3,0': [5, 4],
      '4,0': [5, 1],
      '5,0': [-1, 0],
    };
    const graph: Toy = {
      states: 6,
      actions: 2,
      allowed: (state, action) => `${state},${action}` in edges,
      step(state, action) {
        const [next, cost] = must(edges[`${state},${action}`], 'an edge');
        return { next, reward: -cost };
      },
    };
    const policy = await solve(graph, 60, 2);
    expect([policy[0], policy[2]]).toEqual([1, 1]);
  });

  it('has a gradient that agrees with finite differences', async () => {
    const [steps, actions] = [4, 3];
    const random = new Random(3);
    const draw = (n: number) => Float32Array.from({ length: n }, () => random.normal());
    const mask = Float32Array.of(1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1);
    const chosen = Float32Array.of(1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0);
    const [advantage, target, values] = [draw(steps), draw(steps), draw(steps)];
    const logits = draw(steps * actions);
    const loss = (x: np.Array): np.Array =>
      ppoLoss(
        x.reshape([steps, actions]),
        np.array(values),
        {
          mask: np.array(mask).reshape([steps, actions]),
          chosen: np.array(chosen).reshape([steps, actions]),
          oldLogProbability: np.array(Float32Array.of(-1, -1.1, -0.7, -1.2)),
          advantage: np.array(advantage),
          target: np.array(target),
          weight: np.array(Float32Array.of(0.25, 0.25, 0.25, 0.25)),
        },
        np.array(0.02),
      );
    const analytic = (await (grad(loss)(np.array(logits)) as np.Array).data()) as Float32Array;
    const step = 1e-2;
    for (let i = 0; i < logits.length; i++) {
      const moved = async (by: number): Promise<number> => {
        const copy = logits.slice();
        copy[i] = (copy[i] ?? 0) + by;
        return must((await loss(np.array(copy)).data())[0], 'loss');
      };
      const numeric = ((await moved(step)) - (await moved(-step))) / (2 * step);
      expect(analytic[i]).toBeCloseTo(numeric, 2);
      // What is masked is never learned.
      if (mask[i] === 0) expect(Math.abs(analytic[i] ?? 0)).toBeLessThan(1e-6);
    }
  });
});

describe('advantages', () => {
  it('are what the definition says', () => {
    const [rewards, values] = [
      [1, 0, 2],
      [0.5, 1, 0.2],
    ];
    const [advantages, returns] = [new Float32Array(3), new Float32Array(3)];
    gae({ rewards, values, advantages, returns }, 3, { gamma: 0.9, lambda: 0.8 });
    const deltas = [1 + 0.9 * 1 - 0.5, 0 + 0.9 * 0.2 - 1, 2 - 0.2];
    const last = must(deltas[2], 'delta');
    const middle = must(deltas[1], 'delta') + 0.72 * last;
    expect(advantages[2]).toBeCloseTo(last, 6);
    expect(advantages[1]).toBeCloseTo(middle, 6);
    expect(advantages[0]).toBeCloseTo(must(deltas[0], 'delta') + 0.72 * middle, 6);
    expect(returns[0]).toBeCloseTo((advantages[0] ?? 0) + 0.5, 6);
  });

  it('with lambda 1 and a critic of zero are the returns', () => {
    const [advantages, returns] = [new Float32Array(3), new Float32Array(3)];
    gae({ rewards: [1, 2, 3], values: [0, 0, 0], advantages, returns }, 3, { gamma: 1, lambda: 1 });
    expect([...advantages]).toEqual([6, 5, 3]);
  });
});
