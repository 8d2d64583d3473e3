// Traces: the course of a ward, line by line. docs/ward.md describes the format.
import { type Fleet, fleetOf } from '../plan/index.ts';
import type { FleetDevice } from '../plan/internal.ts';
import { BedsideError, messageOf, must } from '../util/index.ts';
import { isRecord } from '../util/internal.ts';

/** A fleet from `time` on. Seconds since the start. */
export interface TracedFleet {
  readonly time: number;
  readonly fleet: Fleet;
}

/** A request, by the names of its bundle and kind. */
export interface TracedRequest {
  readonly time: number;
  readonly bundle: string;
  readonly kind?: string | undefined;
  /** Seconds. */
  readonly deadline?: number | undefined;
}

/** A trace. */
export interface Trace {
  /** As errors name it. */
  readonly name: string;
  /** The units of the objective's time and energy. The first fleet gives them if the trace does not. */
  readonly usual: Fleet;
  readonly fleets: readonly TracedFleet[];
  readonly requests: readonly TracedRequest[];
}

export const TRACE_FORMAT = { format: 'bedside-trace', version: 1 } as const;

const HINT = 'docs/ward.md explains traces; `bedside simulate --record` writes one';

/**
 * Reads a trace's text. `name` is told in errors, with the number of the line.
 * @throws BedsideError E_TRACE
 */
export function parseTrace(text: string, name = 'the trace'): Trace {
  const reader = new TraceReader(name);
  text.split('\n').forEach((line, index) => {
    if (line.trim() !== '') reader.line(line, index + 1);
  });
  return reader.trace();
}

class TraceReader {
  readonly #name: string;
  readonly #fleets: TracedFleet[] = [];
  readonly #requests: TracedRequest[] = [];
  #usual: Fleet | undefined;
  #begun = false;
  /** Times of the first line after the header, where time begins, and of the last line. */
  #origin: number | undefined;
  #time = 0;

  constructor(name: string) {
    this.#name = name;
  }

  line(text: string, number: number): void {
    const fail = (what: string, cause?: unknown): BedsideError =>
      new BedsideError('E_TRACE', `${this.#name}, line ${number}: ${what}`, { hint: HINT, cause });
    const entry = objectOf(text, fail);
    if (!this.#begun) {
      this.#header(entry, number, fail);
      return;
    }
    const { time, fleet, request, ...rest } = entry;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw fail(`unknown field '${unknown}'`);
    if (typeof time !== 'number' || !(time >= 0)) throw fail('time is not a number of seconds from 0');
    this.#origin ??= time;
    if (time < this.#time) throw fail(`time is ${time}, before that of an earlier line, ${this.#time}`);
    const since = time - this.#origin;
    if ((fleet === undefined) === (request === undefined)) {
      throw fail('expected either a fleet or a request');
    }
    this.#time = time;
    if (request !== undefined) {
      if (this.#fleets.length === 0) throw fail('a request before the first fleet');
      this.#requests.push(requestOf(request, since, fail));
      return;
    }
    const read = this.#fleet(fleet, number);
    this.#checkSource(read, fail);
    if (this.#fleets.at(-1)?.time === since) this.#fleets.pop();
    this.#fleets.push({ time: since, fleet: read });
  }

  trace(): Trace {
    const [first] = this.#fleets;
    if (!first) {
      const what = this.#begun ? 'no fleet' : 'nothing';
      throw new BedsideError('E_TRACE', `${this.#name} has ${what} in it`, { hint: HINT });
    }
    return {
      name: this.#name,
      usual: this.#usual ?? first.fleet,
      fleets: this.#fleets,
      requests: this.#requests,
    };
  }

  #header(entry: Record<string, unknown>, number: number, fail: Fail): void {
    const { format, version, fleet, ...rest } = entry;
    if (format !== TRACE_FORMAT.format)
      throw fail(`format is ${JSON.stringify(format) ?? 'missing'}, not 'bedside-trace'`);
    if (version !== TRACE_FORMAT.version)
      throw fail(`version is ${JSON.stringify(version) ?? 'missing'}, not 1`);
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw fail(`unknown field '${unknown}'`);
    if (fleet !== undefined) this.#usual = this.#fleet(fleet, number);
    this.#begun = true;
  }

  #fleet(value: unknown, number: number): Fleet {
    try {
      return fleetOf(value, `${this.#name}, line ${number}`);
    } catch (cause) {
      if (!BedsideError.is(cause)) throw cause;
      throw new BedsideError('E_TRACE', cause.message, { hint: cause.hint ?? HINT, cause });
    }
  }

  /** Requests come from one device, so it is the source of all fleets. */
  #checkSource(fleet: Fleet, fail: Fail): void {
    const first = this.#usual ?? this.#fleets[0]?.fleet ?? fleet;
    const [was, is] = [sourceOf(first), sourceOf(fleet)];
    if (was !== is) throw fail(`source is '${is}', but it was '${was}'`);
    if (first.sharedChannel !== fleet.sharedChannel)
      throw fail('network.channel is not that of the first fleet');
  }
}

type Fail = (what: string, cause?: unknown) => BedsideError;

function objectOf(text: string, fail: Fail): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail(`not JSON: ${messageOf(cause)}`, cause);
  }
  if (isRecord(value)) return value;
  throw fail('not a JSON object');
}

function requestOf(value: unknown, time: number, fail: Fail): TracedRequest {
  if (typeof value !== 'object' || value === null) throw fail('request is not an object');
  const { bundle, kind, deadline, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw fail(`request has an unknown field '${unknown}'`);
  if (typeof bundle !== 'string') throw fail('request.bundle is not the name of a bundle');
  if (kind !== undefined && typeof kind !== 'string') throw fail('request.kind is not a name');
  if (deadline !== undefined && !(typeof deadline === 'number' && deadline > 0)) {
    throw fail('request.deadline is not a number of seconds above 0');
  }
  return { time, bundle, kind, deadline };
}

function sourceOf({ devices, source }: Fleet): string {
  return must(devices[source], 'the source').name;
}

/** A fleet as its file has it, without descriptions. */
export function fleetFile(fleet: Fleet): unknown {
  const links: object[] = [];
  const { devices, bandwidth, latency } = fleet;
  devices.forEach((one, d) => {
    devices.forEach((other, e) => {
      const [there, back] = [bandwidth[d]?.[e], bandwidth[e]?.[d]];
      const same = there === back && latency[d]?.[e] === latency[e]?.[d];
      if (d === e || (same && d > e)) return;
      const link = { from: one.name, to: other.name, bytesPerSecond: there, latency: latency[d]?.[e] };
      links.push(same ? link : { ...link, oneWay: true });
    });
  });
  return {
    format: 'bedside-fleet',
    version: 1,
    name: fleet.name,
    source: sourceOf(fleet),
    devices: devices.map(deviceFile),
    network: { channel: fleet.sharedChannel ? 'shared' : 'independent' },
    links,
    request: fleet.request,
  };
}

function deviceFile({ description: _, references: __, energy, ...device }: FleetDevice): object {
  return Number.isFinite(energy) ? { ...device, energy } : device;
}
