// Who answers beats: a deployment in this process.
import type { Bundle } from '../../bundle/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { devicesOf } from '../../run/internal.ts';
import type { Deployment } from '../run/deployment.ts';

/** An answer to one window. */
export interface Scored {
  readonly scores: Float32Array;
  readonly levels: readonly number[];
  readonly devices: readonly string[];
  readonly fallback: string;
  readonly replanned: number;
  /** In [0, 1]. */
  readonly confidence: number;
}

/** Answers windows. */
export interface Answerer {
  /** @throws BedsideError E_DEADLINE without an answer in time; others where there will be none */
  answer(input: Float32Array): Promise<Scored>;
  /** Devices that are lost now. */
  readonly lost: readonly string[];
}

/** Answers by a deployment. */
export function deployedAnswerer(deployment: Deployment): Answerer {
  return {
    get lost() {
      return deployment.lost;
    },
    async answer(input) {
      const { logits, plan, fallback, margin, replanned } = await deployment.infer(input);
      const { levels } = plan;
      return {
        scores: logits.data,
        levels,
        devices: devicesOf(plan),
        fallback,
        replanned,
        confidence: margin,
      };
    },
  };
}

/** Values of a window. */
export function windowSize({ manifest }: Pick<Bundle, 'manifest'>): number {
  return sizeOf(manifest.model.input.shape);
}
