// The vector environment: many wards in which links fade and fail, other programs load devices, batteries drain, and
// devices leave and return. All wards advance by one block together, over flat arrays, without allocating anything.
import type { FleetDevice } from '../plan/internal.ts';
import { must } from '../util/index.ts';
import { clamp, RandomLanes } from '../util/internal.ts';
import { innovation, persistence, shannon, within } from './dynamics.ts';
import { type EnvironmentView, slowed } from './environment-view.ts';
import { layoutOf, type WardLayout, type WardSpec } from './layout.ts';

/** Background load and reserved memory never exceed this share of a device. */
const MAX_BACKGROUND_SHARE = 0.95;

/** A link with less than this many bytes a second counts as missing. */
const LEAST_RATE = 1;

/** Coefficients of one process in every ward. */
interface Coefficients {
  readonly mean: Float64Array;
  readonly kept: Float64Array;
  readonly fresh: Float64Array;
}

/** Environments of several wards. What is drawn never depends on what requests do. */
export class VectorEnvironment {
  readonly wards: readonly WardSpec[];
  readonly #layout: WardLayout;
  readonly #lanes: RandomLanes;
  readonly #block: Float64Array;
  /** By ward: blocks gone by. */
  readonly #blocks: Float64Array;
  readonly #snr: Coefficients;
  readonly #load: Coefficients;
  readonly #memory: Coefficients;
  /** By ward: probabilities for each block, mean seconds. */
  readonly #outage: Float64Array;
  readonly #outageSeconds: Float64Array;
  readonly #leave: Float64Array;
  readonly #awaySeconds: Float64Array;
  /** By ward: shares of charge. */
  readonly #gives: Float64Array;
  readonly #charger: Float64Array;
  /** By link: 1 for radio; signal to noise in dB; seconds of outage that are left. */
  readonly #radio: Uint8Array;
  readonly signal: Float64Array;
  readonly outageLeft: Float64Array;
  /** By device: 1 where it comes and goes; seconds of absence that are left; shares that other programs take. */
  readonly #mobile: Uint8Array;
  readonly #awayLeft: Float64Array;
  readonly #backgroundLoad: Float64Array;
  readonly #reservedMemory: Float64Array;
  /**
   * By device: 0 capacity where there is no battery; joules, watts, whether on the charger, most joules for a request.
   */
  readonly #capacity: Float64Array;
  readonly #idle: Float64Array;
  readonly #chargeWatts: Float64Array;
  readonly charge: Float64Array;
  readonly #charging: Uint8Array;
  readonly #fullEnergy: Float64Array;
  readonly #source: Uint8Array;
  readonly #fullMemory: Float64Array;
  /** Bytes a second at the mean signal: `[from][to]` of each ward. */
  readonly #nominal: Float64Array;
  // The state that views show.
  readonly present: Uint8Array;
  readonly slowdown: Float64Array;
  readonly memory: Float64Array;
  readonly energy: Float64Array;
  readonly wait: Float64Array;
  readonly bandwidth: Float64Array;
  readonly latency: Float64Array;
  readonly #normals: Float64Array;
  readonly #uniforms: Float64Array;

  constructor(wards: readonly WardSpec[]) {
    this.wards = wards;
    const layout = layoutOf(wards);
    this.#layout = layout;
    const count = wards.length;
    const [devices, links] = [layout.devices.at(-1) ?? 0, layout.links.at(-1) ?? 0];
    const byWard = (value: (ward: WardSpec) => number): Float64Array => Float64Array.from(wards, value);
    this.#lanes = new RandomLanes(wards.map(({ seed }) => seed));
    this.#block = byWard(({ parameters }) => parameters.block);
    this.#blocks = new Float64Array(count);
    this.#snr = coefficients(wards, ({ radio }) => radio.snr);
    this.#load = coefficients(wards, ({ load }) => load);
    this.#memory = coefficients(wards, ({ memory }) => memory);
    this.#outage = byWard(({ parameters: { block, radio } }) => within(3600 / radio.outagesPerHour, block));
    this.#outageSeconds = byWard(({ parameters: { radio } }) => radio.outageSeconds);
    this.#leave = byWard(({ parameters: { block, presence } }) => within(presence.stays, block));
    this.#awaySeconds = byWard(({ parameters: { presence } }) => presence.away);
    this.#gives = Float64Array.from(wards.flatMap(({ parameters }) => [...parameters.battery.gives]));
    this.#charger = Float64Array.from(wards.flatMap(({ parameters }) => [...parameters.battery.charger]));
    const reals = (size: number): Float64Array => new Float64Array(size);
    const flags = (size: number): Uint8Array => new Uint8Array(size);
    [this.#radio, this.signal, this.outageLeft] = [flags(links), reals(links), reals(links)];
    [this.#mobile, this.#source, this.#charging] = [flags(devices), flags(devices), flags(devices)];
    [this.#awayLeft, this.#backgroundLoad, this.#reservedMemory] = [
      reals(devices),
      reals(devices),
      reals(devices),
    ];
    [this.#capacity, this.#idle, this.#chargeWatts] = [reals(devices), reals(devices), reals(devices)];
    [this.charge, this.#fullEnergy, this.#fullMemory] = [reals(devices), reals(devices), reals(devices)];
    [this.present, this.slowdown, this.memory] = [flags(devices), reals(devices), reals(devices)];
    [this.energy, this.wait] = [reals(devices), reals(devices)];
    const squares = layout.squares.at(-1) ?? 0;
    [this.#nominal, this.bandwidth, this.latency] = [reals(squares), reals(squares), reals(squares)];
    const draws = wards.map((_, w) => 2 * this.#count(layout.devices, w) + this.#count(layout.links, w));
    this.#normals = reals(Math.max(0, ...draws));
    this.#uniforms = reals(Math.max(0, ...draws));
    wards.forEach((_, w) => {
      this.#begin(w);
      this.#show(w);
    });
  }

  get count(): number {
    return this.wards.length;
  }

  /** Seconds since the start of a ward at which its present block began. */
  since(w: number): number {
    return (this.#blocks[w] as number) * (this.#block[w] as number);
  }

  until(w: number): number {
    return ((this.#blocks[w] as number) + 1) * (this.#block[w] as number);
  }

  /** Puts every ward one block on, or those whose entry is not 0. */
  step(active?: Uint8Array): void {
    for (let w = 0; w < this.wards.length; w++) if (active?.[w] !== 0) this.stepOne(w);
  }

  /** Puts one ward a block on. */
  stepOne(w: number): void {
    const links = this.#count(this.#layout.links, w);
    const devices = this.#count(this.#layout.devices, w);
    this.#lanes.normals(w, this.#normals, 0, links + 2 * devices);
    this.#lanes.uniforms(w, this.#uniforms, 0, links + devices);
    (this.#blocks[w] as number)++;
    this.#moveLinks(w, links);
    this.#moveDevices(w, links, devices);
    this.#show(w);
  }

  /** Takes joules from a device's battery; what requests may spend follows at the next block. */
  spend(w: number, device: number, joules: number): void {
    const d = (this.#layout.devices[w] as number) + device;
    this.charge[d] = Math.max(0, (this.charge[d] as number) - joules);
  }

  /** One ward's environment; shares memory with this. */
  view(w: number): EnvironmentView {
    const all = this;
    const { fleet } = must(this.wards[w], `ward ${w}`);
    const { devices, squares } = this.#layout;
    const ofDevices = <T extends Float64Array | Uint8Array>(values: T): T =>
      values.subarray(devices[w], devices[w + 1]) as T;
    const slowdown = ofDevices(this.slowdown);
    const ofSquare = (values: Float64Array) => values.subarray(squares[w], squares[w + 1]);
    return {
      fleet,
      get since() {
        return all.since(w);
      },
      get until() {
        return all.until(w);
      },
      present: ofDevices(this.present),
      slowdown,
      memory: ofDevices(this.memory),
      energy: ofDevices(this.energy),
      wait: ofDevices(this.wait),
      bandwidth: ofSquare(this.bandwidth),
      latency: ofSquare(this.latency),
      step: () => this.stepOne(w),
      spend: (device, joules) => this.spend(w, device, joules),
      entry: (d): FleetDevice => slowed(must(fleet.devices[d], `device ${d}`), slowdown[d] as number),
    };
  }

  #count(offsets: Int32Array, w: number): number {
    return (offsets[w + 1] as number) - (offsets[w] as number);
  }

  /** The first state: every process as it is in the long run, everybody there. */
  #begin(w: number): void {
    const { fleet, parameters } = must(this.wards[w], `ward ${w}`);
    const { radio, load, memory, battery } = parameters;
    const all = fleet.devices.length;
    const [firstLink, firstDevice] = [this.#layout.links[w] as number, this.#layout.devices[w] as number];
    const links = this.#count(this.#layout.links, w);
    this.#lanes.normals(w, this.#normals, 0, links + 2 * all);
    this.#lanes.uniforms(w, this.#uniforms, 0, all);
    const square = this.#layout.squares[w] as number;
    for (let d = 0; d < all; d++) {
      for (let e = 0; e < all; e++) {
        this.#nominal[square + d * all + e] = fleet.bandwidth[d]?.[e] ?? 0;
        this.latency[square + d * all + e] = fleet.latency[d]?.[e] ?? 0;
      }
    }
    for (let i = 0; i < links; i++) {
      const link = firstLink + i;
      const [d, e] = [this.#layout.first[link] as number, this.#layout.second[link] as number];
      this.#radio[link] = (fleet.latency[d]?.[e] ?? 0) < radio.cableBelow ? 0 : 1;
      this.signal[link] = radio.snr.mean + radio.snr.deviation * (this.#normals[i] as number);
    }
    fleet.devices.forEach((device, d) => {
      const at = firstDevice + d;
      const own = Number.isFinite(device.energy) ? (battery.of[device.name] ?? battery.all) : undefined;
      const [low, high] = battery.start;
      const source = d === fleet.source;
      this.#source[at] = source ? 1 : 0;
      this.#mobile[at] = !source && (own !== undefined || !device.trusted) ? 1 : 0;
      this.#capacity[at] = own?.capacity ?? 0;
      this.#idle[at] = own?.idle ?? 0;
      this.#chargeWatts[at] = own?.charge ?? 0;
      this.charge[at] = (own?.capacity ?? 0) * (low + (high - low) * (this.#uniforms[d] as number));
      this.#fullEnergy[at] = device.energy;
      this.#fullMemory[at] = device.memory;
      this.wait[at] = device.wait;
      this.#backgroundLoad[at] = load.mean + load.deviation * (this.#normals[links + d] as number);
      this.#reservedMemory[at] = memory.mean + memory.deviation * (this.#normals[links + all + d] as number);
    });
  }

  // Numbers that are no integers are read from arrays and written to them: handed from one function to another they may
  // be put on the heap.

  #moveLinks(w: number, links: number): void {
    const first = this.#layout.links[w] as number;
    this.#drift(this.#snr, w, this.signal, first, links, 0);
    const block = this.#block[w] as number;
    const chance = this.#outage[w] as number;
    const seconds = this.#outageSeconds[w] as number;
    for (let i = 0; i < links; i++) {
      const left = (this.outageLeft[first + i] as number) - block;
      const draw = this.#uniforms[i] as number;
      // Below the chance a draw is uniform again, and gives an exponential time.
      if (left > 0) this.outageLeft[first + i] = left;
      else if (draw < chance) this.outageLeft[first + i] = -seconds * Math.log1p(-draw / chance);
      else this.outageLeft[first + i] = 0;
    }
  }

  /** One step of a process for `count` values from `at` on, with the normal numbers from `noise` on. */
  #drift(
    { mean, kept, fresh }: Coefficients,
    w: number,
    values: Float64Array,
    at: number,
    count: number,
    noise: number,
  ): void {
    const center = mean[w] as number;
    const keep = kept[w] as number;
    const add = fresh[w] as number;
    const normals = this.#normals;
    for (let i = 0; i < count; i++) {
      const distance = (values[at + i] as number) - center;
      values[at + i] = center + keep * distance + add * (normals[noise + i] as number);
    }
  }

  #moveDevices(w: number, links: number, devices: number): void {
    const first = this.#layout.devices[w] as number;
    this.#drift(this.#load, w, this.#backgroundLoad, first, devices, links);
    this.#drift(this.#memory, w, this.#reservedMemory, first, devices, links + devices);
    const block = this.#block[w] as number;
    const chance = this.#leave[w] as number;
    const seconds = this.#awaySeconds[w] as number;
    for (let i = 0; i < devices; i++) {
      const d = first + i;
      const left = (this.#awayLeft[d] as number) - block;
      const draw = this.#uniforms[links + i] as number;
      const leaves = this.#mobile[d] === 1 && draw < chance;
      if (left > 0) this.#awayLeft[d] = left;
      else if (leaves) this.#awayLeft[d] = -seconds * Math.log1p(-draw / chance);
      else this.#awayLeft[d] = 0;
    }
    for (let d = first; d < first + devices; d++) if ((this.#capacity[d] as number) > 0) this.#drain(w, d);
  }

  /** A block's joules into or out of a battery. */
  #drain(w: number, d: number): void {
    const capacity = this.#capacity[d] as number;
    const watts =
      (this.#charging[d] === 1 ? (this.#chargeWatts[d] as number) : 0) - (this.#idle[d] as number);
    const joules = (this.charge[d] as number) + watts * (this.#block[w] as number);
    const charge = clamp(joules, 0, capacity);
    this.charge[d] = charge;
    if (charge <= capacity * (this.#charger[2 * w] as number)) this.#charging[d] = 1;
    if (charge >= capacity * (this.#charger[2 * w + 1] as number)) this.#charging[d] = 0;
  }

  /** Values derived from the state, for views. */
  #show(w: number): void {
    const firstDevice = this.#layout.devices[w] as number;
    const devices = this.#count(this.#layout.devices, w);
    const load = this.#load.mean[w] as number;
    const memory = this.#memory.mean[w] as number;
    for (let i = 0; i < devices; i++) {
      const d = firstDevice + i;
      const source = this.#source[d] === 1;
      const charging = this.#charging[d] === 1 && !source;
      this.present[d] = (this.#awayLeft[d] as number) > 0 || charging ? 0 : 1;
      this.slowdown[d] = (1 - load) / (1 - clamp(this.#backgroundLoad[d] as number, 0, MAX_BACKGROUND_SHARE));
      const free = (1 - clamp(this.#reservedMemory[d] as number, 0, MAX_BACKGROUND_SHARE)) / (1 - memory);
      this.memory[d] = (this.#fullMemory[d] as number) * free;
      this.#budget(w, d);
    }
    this.#showLinks(w, firstDevice, devices);
  }

  #showLinks(w: number, firstDevice: number, devices: number): void {
    const { links, squares, first, second } = this.#layout;
    const square = squares[w] as number;
    const usual = shannon(this.#snr.mean[w] as number);
    for (let d = 0; d < devices; d++) {
      this.bandwidth[square + d * devices + d] = Number.POSITIVE_INFINITY;
    }
    for (let link = links[w] as number; link < (links[w + 1] as number); link++) {
      const d = first[link] as number;
      const e = second[link] as number;
      const there = square + d * devices + e;
      const back = square + e * devices + d;
      const reached = this.present[firstDevice + d] === 1 && this.present[firstDevice + e] === 1;
      const radio = this.#radio[link] === 1;
      const fades = radio ? shannon(this.signal[link] as number) / usual : 1;
      const share = !reached || (radio && (this.outageLeft[link] as number) > 0) ? 0 : fades;
      const forth = (this.#nominal[there] as number) * share;
      const hither = (this.#nominal[back] as number) * share;
      this.bandwidth[there] = forth < LEAST_RATE ? 0 : forth;
      this.bandwidth[back] = hither < LEAST_RATE ? 0 : hither;
    }
  }

  /** Joules that a device gives to one request: less, the emptier its battery. */
  #budget(w: number, d: number): void {
    const capacity = this.#capacity[d] as number;
    const none = this.#gives[2 * w] as number;
    const all = this.#gives[2 * w + 1] as number;
    const filled =
      capacity === 0 ? 1 : clamp(((this.charge[d] as number) / capacity - none) / (all - none), 0, 1);
    this.energy[d] =
      filled === 1 ? (this.#fullEnergy[d] as number) : (this.#fullEnergy[d] as number) * filled;
  }
}

function coefficients(
  wards: readonly WardSpec[],
  of: (parameters: WardSpec['parameters']) => {
    readonly mean: number;
    readonly deviation: number;
    readonly seconds: number;
  },
): Coefficients {
  const each = (value: (ward: WardSpec) => number): Float64Array => Float64Array.from(wards, value);
  return {
    mean: each(({ parameters }) => of(parameters).mean),
    kept: each(({ parameters }) => persistence(of(parameters).seconds, parameters.block)),
    fresh: each(({ parameters }) => {
      const { deviation, seconds } = of(parameters);
      return innovation(deviation, persistence(seconds, parameters.block));
    }),
  };
}
