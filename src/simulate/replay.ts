// Replays a trace: the recorded fleets, and the recorded requests if there are any.
import type { BundleManifest } from '../bundle/index.ts';
import type { Fleet } from '../plan/index.ts';
import type { FleetDevice } from '../plan/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import type { EnvironmentView } from './environment-view.ts';
import type { WardParameters } from './parameters.ts';
import { ProblemFactory, type WardRequestOptions } from './problem-factory.ts';
import { type Arrival, type Arrivals, PoissonArrivals } from './requests.ts';
import type { Scenario } from './simulate.ts';
import type { Trace } from './trace.ts';

/** Settings of a replay beside its trace. */
export interface ReplayOptions {
  /** Kinds of requests; their rate and mix where the trace has none. */
  readonly requests: WardParameters['requests'];
  readonly seed: number;
  readonly request?: WardRequestOptions | undefined;
}

/**
 * The trace as a scenario. Batteries are as recorded, whatever plans spend; queues and memory in use are those of the
 * plans.
 * @throws BedsideError E_TRACE when a request names another bundle or kind; as `buildProblem`
 */
export function replayScenario(
  trace: Trace,
  bundles: readonly BundleManifest[],
  options: ReplayOptions,
): Scenario {
  const { requests, seed, request = {} } = options;
  const problems = new ProblemFactory(bundles, trace.usual, requests.kinds, request);
  const recorded = trace.requests.length > 0 ? recordedArrivals(trace, problems) : undefined;
  return {
    problems,
    deadlineSpread: requests.deadlineSpread,
    begin: () => ({
      environment: new ReplayedWorld(trace),
      arrivals: recorded
        ? new RecordedArrivals(recorded)
        : new PoissonArrivals(requests, problems.deadline, bundles.length, seed),
    }),
  };
}

class RecordedArrivals implements Arrivals {
  readonly #list: readonly Arrival[];
  #at = 0;

  constructor(list: readonly Arrival[]) {
    this.#list = list;
  }

  get next(): number {
    return this.#list[this.#at]?.time ?? Number.POSITIVE_INFINITY;
  }

  take(): Arrival {
    return must(this.#list[this.#at++], 'a recorded request');
  }
}

function recordedArrivals(trace: Trace, problems: ProblemFactory): Arrival[] {
  const { bundles, kinds } = problems;
  const indexOf = (
    what: string,
    name: string | undefined,
    list: readonly { readonly name: string }[],
  ): number => {
    const index = name === undefined ? 0 : list.findIndex((one) => one.name === name);
    if (index >= 0) return index;
    throw new BedsideError(
      'E_TRACE',
      `${trace.name}: a request is for ${what} '${name}', which is not here`,
      {
        hint: `${what}s: ${list.map((one) => one.name).join(', ')}`,
      },
    );
  };
  return trace.requests.map(({ time, bundle, kind, deadline }) => {
    const chosen = indexOf('kind', kind, kinds);
    return {
      time,
      bundle: indexOf('bundle', bundle, bundles),
      kind: chosen,
      deadline: deadline ?? must(kinds[chosen], 'a kind').deadline * problems.deadline,
    };
  });
}

/** Devices of all fleets of a trace, in the order in which they appear. */
class ReplayedWorld implements EnvironmentView {
  readonly fleet: Fleet;
  readonly present: Uint8Array;
  readonly slowdown: Float64Array;
  readonly memory: Float64Array;
  readonly energy: Float64Array;
  readonly wait: Float64Array;
  readonly bandwidth: Float64Array;
  readonly latency: Float64Array;
  readonly #trace: Trace;
  /** By device: as it was first seen, and as it was last. */
  readonly #first: readonly FleetDevice[];
  readonly #entries: FleetDevice[];
  #at = 0;

  constructor(trace: Trace) {
    this.#trace = trace;
    const byName = new Map<string, FleetDevice>();
    for (const fleet of [trace.usual, ...trace.fleets.map((entry) => entry.fleet)]) {
      for (const device of fleet.devices) {
        if (!byName.has(device.name)) byName.set(device.name, device);
      }
    }
    const devices = [...byName.values()];
    const source = devices.findIndex(({ name }) => name === trace.usual.devices[trace.usual.source]?.name);
    this.fleet = { ...trace.usual, devices, source };
    this.#first = devices;
    this.#entries = [...devices];
    const all = devices.length;
    this.present = new Uint8Array(all);
    this.slowdown = new Float64Array(all);
    this.memory = new Float64Array(all);
    this.energy = new Float64Array(all);
    this.wait = new Float64Array(all);
    this.bandwidth = new Float64Array(all * all);
    this.latency = new Float64Array(all * all);
    this.#show();
  }

  get since(): number {
    return must(this.#trace.fleets[this.#at], 'a recorded fleet').time;
  }

  get until(): number {
    return this.#trace.fleets[this.#at + 1]?.time ?? Number.POSITIVE_INFINITY;
  }

  step(): void {
    this.#at++;
    this.#show();
  }

  spend(): void {}

  entry(device: number): FleetDevice {
    return must(this.#entries[device], `device ${device}`);
  }

  #show(): void {
    const { fleet } = must(this.#trace.fleets[this.#at], 'a recorded fleet');
    const all = this.fleet.devices.length;
    this.present.fill(0);
    this.bandwidth.fill(0);
    const places = fleet.devices.map(({ name }) => this.#first.findIndex((device) => device.name === name));
    fleet.devices.forEach((device, i) => {
      const d = must(places[i], 'a device');
      this.#entries[d] = device;
      this.present[d] = 1;
      this.slowdown[d] = slowdown(must(this.#first[d], 'a device'), device);
      this.memory[d] = device.memory;
      this.energy[d] = device.energy;
      this.wait[d] = device.wait;
      fleet.devices.forEach((_, j) => {
        const pair = d * all + must(places[j], 'a device');
        this.bandwidth[pair] = fleet.bandwidth[i]?.[j] ?? 0;
        this.latency[pair] = fleet.latency[i]?.[j] ?? 0;
      });
    });
  }
}

/** How many times as long a device computes now; by what planning goes by: measured seconds, else speed, else MACs. */
function slowdown(first: FleetDevice, now: FleetDevice): number {
  const measured = (device: FleetDevice, bundle: string): number =>
    (device.seconds?.[bundle] ?? []).flat().reduce((sum, value) => sum + value, 0);
  const bundle = Object.keys(first.seconds ?? {}).find((name) => now.seconds?.[name]);
  if (bundle !== undefined) return measured(now, bundle) / measured(first, bundle);
  if (first.speed !== undefined && now.speed !== undefined) return first.speed / now.speed;
  return first.macsPerSecond / now.macsPerSecond;
}
