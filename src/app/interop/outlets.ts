// Where results go back to a hospital's systems: FHIR, HL7 v2, both, or neither. Each has a queue of its own.
import {
  type Hl7OutletOptions,
  hl7MessageOf,
  type OutletOptions,
  openHl7Outlet,
  openOutlet,
  type Result,
  transactionOf,
} from '../../interop/index.ts';
import type { BeatChoice, OutletState } from '../../interop/internal.ts';

/** Where results go. */
export interface ResultTargets {
  /** As FHIR: a folder or a server. */
  readonly fhir?: (OutletOptions & { readonly target: string }) | undefined;
  /** As HL7 v2: a receiver of MLLP. */
  readonly hl7?: (Hl7OutletOptions & { readonly target: string }) | undefined;
}

/** What became of them. */
export interface DeliveryStates {
  readonly fhir?: OutletState;
  readonly hl7?: OutletState;
}

/** Takes results. `await using` ends deliveries; what waits stays in the queues. */
export interface ResultOutlets extends AsyncDisposable {
  /** Resolves when a result is on the disk for each. @throws BedsideError E_OUTPUT */
  send(result: Result, choice?: BeatChoice): Promise<void>;
  /** Waits until nothing waits any more, at most so many seconds. */
  flush(seconds: number): Promise<DeliveryStates>;
}

/** Opens all that are given. @throws BedsideError as `openOutlet` and `openHl7Outlet` */
export async function openOutlets(
  { fhir, hl7 }: ResultTargets,
  onNote: (text: string) => void,
): Promise<ResultOutlets> {
  const forFhir = fhir && (await openOutlet(fhir.target, { ...fhir, onNote }));
  const forHl7 =
    hl7 &&
    (await openHl7Outlet(hl7.target, { ...hl7, onNote }).catch(async (error: unknown) => {
      await forFhir?.close();
      throw error;
    }));
  return {
    async send(result, choice) {
      await forFhir?.send(transactionOf(result, choice));
      await forHl7?.send(hl7MessageOf(result));
    },
    async flush(seconds) {
      const [one, two] = await Promise.all([forFhir?.flush(seconds), forHl7?.flush(seconds)]);
      return { ...(one ? { fhir: one } : {}), ...(two ? { hl7: two } : {}) };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([forFhir?.close(), forHl7?.close()]);
    },
  };
}
