// Planning problems of a ward: prepared once for each bundle and kind of request, then made for the present fleet.
import type { BundleManifest } from '../bundle/index.ts';
import type { Fleet, PlanRequest } from '../plan/index.ts';
import { completeRequest, type PlanningInstance, type ProblemMaker, problemsOf } from '../plan/internal.ts';
import { must } from '../util/index.ts';
import type { RequestKind } from './parameters.ts';

/** Options of all requests of a ward; they override those of the fleet. */
export interface WardRequestOptions {
  readonly levels?: PlanRequest['levels'] | undefined;
}

/** Makes planning problems by bundle and kind of request. */
export class ProblemFactory {
  readonly bundles: readonly BundleManifest[];
  readonly kinds: readonly RequestKind[];
  /** Seconds that the fleet's requests have; a kind multiplies them. */
  readonly deadline: number;
  /** By bundle: weights of the objective, for each second and joule. */
  readonly weights: readonly PlanningInstance['weights'][];
  readonly #makers: readonly (readonly ProblemMaker[])[];

  /** @throws BedsideError as `buildProblem` */
  constructor(
    bundles: readonly BundleManifest[],
    fleet: Fleet,
    kinds: readonly RequestKind[],
    options: WardRequestOptions = {},
  ) {
    this.bundles = bundles;
    this.kinds = kinds;
    const plain = completeRequest(options, fleet.request);
    this.deadline = plain.deadline;
    // Time and energy are counted in what the whole network takes on the unmoved fleet's source, whatever moves later.
    this.weights = bundles.map((manifest) => problemsOf(manifest, plain)(fleet).instance.weights);
    this.#makers = bundles.map((manifest, bundle) => {
      const weights = { ...must(this.weights[bundle], 'weights'), per: 'unit' as const };
      return kinds.map(({ accuracyDrop, privacy }) =>
        problemsOf(manifest, completeRequest({ accuracyDrop, privacy, weights }, options, fleet.request)),
      );
    });
  }

  maker(bundle: number, kind: number): ProblemMaker {
    return must(this.#makers[bundle]?.[kind], `program of bundle ${bundle}, kind ${kind}`);
  }
}
