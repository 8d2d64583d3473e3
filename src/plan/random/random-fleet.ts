// Random fleets and requests for a given bundle: hospital devices of unequal speed around a slow source. For
// benchmarks, tests and training.
import type { BundleManifest } from '../../bundle/index.ts';
import { totalCosts } from '../../bundle/internal.ts';
import { Random } from '../../util/internal.ts';
import { type Fleet, fleetOf } from '../input/fleet.ts';
import { completeRequest, type PlanRequest } from '../input/request.ts';

/** What to draw. */
export interface RandomFleetOptions {
  /** Devices, the source among them. */
  readonly devices: number;
  readonly seed: number;
  /** 0.5: limits of devices bind a little; 0.8: several bind; above 1: often no plan. */
  readonly tightness?: number | undefined;
}

/** Seconds that the source alone takes for the unpruned network, from fair to hopeless. */
const LOCAL_SECONDS = [0.05, 1] as const;

/**
 * A fleet and a request for one bundle; the same options always give the same. The source takes 0.05 to 1 s alone, the
 * others are once to 20 times as fast; links have 1 to 12 MB/s and 0.5 to 4 ms, in every third fleet over one shared
 * radio channel; a third of the others are not trusted. Memory and energy are counted in what the unpruned network
 * needs.
 */
export function randomFleet(
  manifest: BundleManifest,
  { devices: count, seed, tightness = 0.5 }: RandomFleetOptions,
): { readonly fleet: Fleet; readonly request: PlanRequest } {
  const random = new Random(seed * 6151 + count * 53);
  const between = (least: number, most: number): number => least + (most - least) * random.uniform();
  const orders = (least: number, most: number): number => least * (most / least) ** random.uniform();
  const whole = totalCosts(
    manifest,
    manifest.groups.map(() => 0),
  );
  const names = Array.from({ length: count }, (_, at) => (at === 0 ? 'gateway' : `device-${at}`));
  const speed = Math.max(1e3, whole.macs / orders(...LOCAL_SECONDS));
  const devices = names.map((name, at) => {
    const source = at === 0;
    const joulesPerMac = orders(1.5e-10, 1.2e-9);
    return {
      name,
      macsPerSecond: source ? speed : speed * orders(1, 20),
      memory: Math.ceil(2 ** 17 + (whole.weightBytes * between(0.1, source ? 0.4 : 0.8)) / tightness),
      joulesPerMac,
      ...(source || random.uniform() < 0.5
        ? {}
        : { energy: (whole.macs * joulesPerMac * between(0.1, 0.7)) / tightness }),
      trusted: source || random.uniform() < 0.67,
      wait: source || random.uniform() < 0.7 ? 0 : between(0, 0.004),
    };
  });
  const links = names.flatMap((from, a) =>
    names.slice(a + 1).map((to) => ({
      from,
      to,
      bytesPerSecond: orders(1e6, 1.2e7),
      latency: between(5e-4, 4e-3),
    })),
  );
  const fleet = fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: `random-${count}-${seed}`,
    source: 'gateway',
    devices,
    network: {
      channel: seed % 3 === 0 ? 'shared' : 'independent',
      joulesPerByteSent: 2e-7,
      joulesPerByteReceived: 1.5e-7,
    },
    links,
  });
  const request = completeRequest({
    deadline: ((whole.macs / speed) * between(0.5, 1)) / Math.sqrt(tightness),
    accuracyDrop: between(0.005, 0.05),
    privacy: (['strict', 'late', 'open'] as const)[random.integer(3)],
  });
  return { fleet, request };
}
