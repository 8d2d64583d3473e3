// A fleet: the devices of a place and what joins them, at one moment. Written out for other languages in
// docs/fleet.schema.json.
import { z } from 'zod';
import { BedsideError } from '../../util/index.ts';
import { bounded, checkJson, label, type ReadWhat, readJson } from './read-json.ts';
import { REQUEST_FIELDS } from './request.ts';

const rate = () => bounded(1, 1e13, 'bytes a second');
const seconds = () => bounded(0, 3600, 'seconds');
const joulesPerByte = () => bounded(0, 1, 'joules a byte');

const DEVICE = z.strictObject({
  name: label(),
  description: z.string().optional(),
  macsPerSecond: bounded(1e3, 1e16, 'multiply-accumulates a second').describe(
    'Multiply-accumulates a second of one network, sustained, not the peak of a datasheet. Used where a bundle has no measured times, or the device no `speed`.',
  ),
  speed: bounded(1e-4, 1e4, 'times the machine where the bundle was measured')
    .describe(
      'How many times as fast as the machine where a bundle was measured: scales the times of the bundle.',
    )
    .optional(),
  seconds: z
    .record(z.string(), z.array(z.array(bounded(1e-9, 3600, 'seconds')).min(1)).min(1))
    .describe(
      'Measured here: by name of the bundle, for each stage, seconds for one sample with every group at each level. Goes before `speed`.',
    )
    .optional(),
  secondsInt8: z
    .record(z.string(), z.array(z.array(bounded(1e-9, 3600, 'seconds')).min(1)).min(1))
    .describe('As `seconds`, of the eight-bit forms of the stages. Goes before `int8Speed`.')
    .optional(),
  int8Speed: bounded(1e-2, 1e3, 'times float32')
    .describe(
      'How many times as fast eight-bit stages run here as float32 ones; below 1 without integer kernels. Absent: as on the machine where the bundle was measured.',
    )
    .optional(),
  memory: bounded(0, 1e15, 'bytes').describe('Bytes free for weights and activations.'),
  energy: bounded(0, 1e12, 'joules')
    .describe('Joules that one request may spend here. Absent: no limit.')
    .optional(),
  joulesPerMac: bounded(0, 1e-3, 'joules a multiply-accumulate'),
  joulesPerByteSent: joulesPerByte().describe('Absent: as `network`.').optional(),
  joulesPerByteReceived: joulesPerByte().describe('Absent: as `network`.').optional(),
  trusted: z.boolean().describe('Whether it may see what `maxSeen` keeps from others.'),
  wait: seconds().describe('Seconds until it is free.').default(0),
  resident: z
    .array(z.string().min(1))
    .describe('Names of bundles whose weights it already holds.')
    .default([]),
  references: z
    .record(z.string(), z.string())
    .describe('By field: where the figure is from, or that it is an estimate.')
    .optional(),
});

const LINK = z.strictObject({
  from: label(),
  to: label(),
  bytesPerSecond: z
    .union([z.literal(0), bounded(1, 1e13, 'bytes a second', '0 for no link, or ')])
    .describe('0: no link.'),
  latency: seconds().describe('Seconds from the first byte sent to the first byte received.'),
  oneWay: z.boolean().describe('Holds from `from` to `to` only.').default(false),
});

const NETWORK = z.strictObject({
  channel: z
    .enum(['independent', 'shared'], { error: "expected 'independent' or 'shared'" })
    .describe(
      '`shared`: all links are one radio channel, so transfers of one hop add up; otherwise they run side by side.',
    ),
  bytesPerSecond: rate()
    .describe('Of pairs that `links` does not list. Absent: every pair must be listed.')
    .optional(),
  latency: seconds().describe('Of pairs that `links` does not list.').default(0),
  joulesPerByteSent: joulesPerByte().describe('Of devices that do not say.').default(0),
  joulesPerByteReceived: joulesPerByte().describe('Of devices that do not say.').default(0),
  references: z.record(z.string(), z.string()).optional(),
});

/** The format of a fleet file. */
export const FLEET_SCHEMA = z
  .strictObject({
    format: z.literal('bedside-fleet', { error: "expected 'bedside-fleet'" }),
    version: z.literal(1, { error: 'expected 1, the only version there is' }),
    name: label(),
    description: z.string().optional(),
    source: label().describe('Name of the device that has the input and wants the result; it is trusted.'),
    devices: z.array(DEVICE).min(1).max(64),
    network: NETWORK,
    links: z.array(LINK).default([]),
    request: z
      .strictObject(REQUEST_FIELDS)
      .partial()
      .describe('Used where a request says nothing.')
      .optional(),
  })
  .describe('Devices and links at one moment. Units: seconds, bytes, joules, multiply-accumulates.');

/** A fleet as its file has it. */
export type FleetFile = z.output<typeof FLEET_SCHEMA>;

/** One device of a fleet. */
export type FleetDevice = FleetFile['devices'][number] & {
  readonly energy: number;
  readonly joulesPerByteSent: number;
  readonly joulesPerByteReceived: number;
};

/** A fleet with everything said that its file leaves out. */
export interface Fleet {
  readonly name: string;
  readonly description?: string | undefined;
  readonly devices: readonly FleetDevice[];
  /** Index of the device that has the input. */
  readonly source: number;
  readonly sharedChannel: boolean;
  /** `[from][to]`: bytes a second; Infinity on the diagonal, 0 for no link. Seconds of latency likewise. */
  readonly bandwidth: readonly (readonly number[])[];
  readonly latency: readonly (readonly number[])[];
  /** Defaults of requests. */
  readonly request: NonNullable<FleetFile['request']>;
}

/**
 * Reads a fleet file's text. `name` is told in errors.
 * @throws BedsideError E_FLEET
 */
export function parseFleet(text: string, name = 'the fleet'): Fleet {
  const what = fleetWhat(name);
  return completeFleet(readJson(FLEET_SCHEMA, text, what), what);
}

/**
 * A fleet from a value, such as measured by running nodes.
 * @throws BedsideError E_FLEET
 */
export function fleetOf(value: unknown, name = 'the fleet'): Fleet {
  const what = fleetWhat(name);
  return completeFleet(checkJson(FLEET_SCHEMA, value, what), what);
}

function fleetWhat(name: string): ReadWhat {
  return {
    code: 'E_FLEET',
    name,
    hint: 'docs/fleets.md explains every field; examples/fleets/ward.json is a fleet to start from',
  };
}

function completeFleet(file: FleetFile, what: ReadWhat): Fleet {
  const fail = (message: string, hint: string): BedsideError =>
    new BedsideError('E_FLEET', `${what.name}: ${message}`, { hint });
  const names = file.devices.map((device) => device.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw fail(`two devices are named '${twice}'`, 'links name devices, so each needs a name of its own');
  }
  const indexOf = (name: string, field: string): number => {
    const index = names.indexOf(name);
    if (index >= 0) return index;
    throw fail(`${field} is '${name}', which is no device`, `devices: ${names.join(', ')}`);
  };
  const source = indexOf(file.source, 'source');
  if (!file.devices[source]?.trusted) {
    throw fail(
      `source '${file.source}' is not trusted, but it has the whole input`,
      'set its trusted to true, or name another source',
    );
  }
  const { network } = file;
  return {
    name: file.name,
    description: file.description,
    source,
    sharedChannel: network.channel === 'shared',
    devices: file.devices.map((device) => ({
      ...device,
      energy: device.energy ?? Number.POSITIVE_INFINITY,
      joulesPerByteSent: device.joulesPerByteSent ?? network.joulesPerByteSent,
      joulesPerByteReceived: device.joulesPerByteReceived ?? network.joulesPerByteReceived,
    })),
    ...linkTables(file, indexOf, fail),
    request: file.request ?? {},
  };
}

/** Both directions of every pair. */
function linkTables(
  { devices, links, network }: FleetFile,
  indexOf: (name: string, field: string) => number,
  fail: (message: string, hint: string) => BedsideError,
): Pick<Fleet, 'bandwidth' | 'latency'> {
  const square = (value: number | undefined, diagonal: number) =>
    devices.map((_, from) => devices.map((_, to): number | undefined => (from === to ? diagonal : value)));
  const bandwidth = square(network.bytesPerSecond, Number.POSITIVE_INFINITY);
  const latency = square(network.bytesPerSecond === undefined ? undefined : network.latency, 0);
  const listed = new Set<string>();
  links.forEach((link, at) => {
    const from = indexOf(link.from, `links[${at}].from`);
    const to = indexOf(link.to, `links[${at}].to`);
    if (from === to) {
      throw fail(`links[${at}] joins '${link.from}' with itself`, 'a link joins two devices');
    }
    for (const [a, b] of link.oneWay
      ? [[from, to]]
      : [
          [from, to],
          [to, from],
        ]) {
      const [row, other] = [bandwidth[a ?? 0], latency[a ?? 0]];
      if (a === undefined || b === undefined || !row || !other) continue;
      if (listed.has(`${a} ${b}`)) {
        throw fail(
          `links[${at}] repeats the link from '${devices[a]?.name}' to '${devices[b]?.name}'`,
          'a link holds in both directions unless oneWay is true',
        );
      }
      listed.add(`${a} ${b}`);
      row[b] = link.bytesPerSecond;
      other[b] = link.latency;
    }
  });
  const full = (table: readonly (readonly (number | undefined)[])[]) =>
    table.map((row, from) =>
      row.map((value, to) => {
        if (value !== undefined) return value;
        throw fail(
          `links: no link from '${devices[from]?.name}' to '${devices[to]?.name}'`,
          'add one, with bytesPerSecond 0 where there is none, or set network.bytesPerSecond for all that are not listed',
        );
      }),
    );
  return { bandwidth: full(bandwidth), latency: full(latency) };
}
