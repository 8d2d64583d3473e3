import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { type Fleet, fleetOf, parseFleet } from './fleet.ts';

const device = (name: string, more: object = {}) => ({
  name,
  macsPerSecond: 1e9,
  memory: 1e8,
  joulesPerMac: 1e-10,
  trusted: true,
  ...more,
});
const fleet = (more: object = {}) => ({
  format: 'bedside-fleet',
  version: 1,
  name: 'room',
  source: 'a',
  devices: [device('a'), device('b', { trusted: false, energy: 2, joulesPerByteSent: 3e-8 })],
  network: { channel: 'shared', joulesPerByteSent: 1e-8, joulesPerByteReceived: 2e-8 },
  links: [{ from: 'a', to: 'b', bytesPerSecond: 1e6, latency: 0.002 }],
  ...more,
});

describe('a fleet', () => {
  it('is completed from what the network says of all', () => {
    const read = parseFleet(JSON.stringify(fleet()));
    expect(read.devices.map((d) => [d.energy, d.joulesPerByteSent, d.joulesPerByteReceived, d.wait])).toEqual(
      [
        [Number.POSITIVE_INFINITY, 1e-8, 2e-8, 0],
        [2, 3e-8, 2e-8, 0],
      ],
    );
    expect([read.source, read.sharedChannel]).toEqual([0, true]);
    expect(read.bandwidth).toEqual([
      [Number.POSITIVE_INFINITY, 1e6],
      [1e6, Number.POSITIVE_INFINITY],
    ]);
    expect(read.latency).toEqual([
      [0, 0.002],
      [0.002, 0],
    ]);
  });

  it('takes the two directions of a link apart, and pairs that are not listed from the network', () => {
    const read: Fleet = fleetOf(
      fleet({
        devices: [device('a'), device('b'), device('c')],
        network: { channel: 'independent', bytesPerSecond: 5e6, latency: 0.001 },
        links: [
          { from: 'a', to: 'b', bytesPerSecond: 1e6, latency: 0.002, oneWay: true },
          { from: 'b', to: 'a', bytesPerSecond: 0, latency: 0, oneWay: true },
        ],
      }),
    );
    const inf = Number.POSITIVE_INFINITY;
    expect(read.bandwidth).toEqual([
      [inf, 1e6, 5e6],
      [0, inf, 5e6],
      [5e6, 5e6, inf],
    ]);
    expect(read.latency[0]).toEqual([0, 0.002, 0.001]);
  });
});

describe('the example fleets', () => {
  const folder = new URL('../../../examples/fleets/', import.meta.url);
  it.each(readdirSync(folder))('%s is read, and every device says where its figures are from', (file) => {
    const text = readFileSync(new URL(file, folder), 'utf8');
    const { devices, name } = parseFleet(text, file);
    expect(file).toBe(`${name}.json`);
    for (const { references } of devices) {
      expect(Object.keys(references ?? {})).toEqual(
        expect.arrayContaining(['macsPerSecond', 'joulesPerMac', 'memory']),
      );
    }
  });

  it('are a ward of five devices with an untrusted one, and a clinic of twelve', () => {
    const read = (name: string) => parseFleet(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
    expect(read('ward').devices.filter(({ trusted }) => !trusted)).toHaveLength(1);
    expect([read('ward').devices.length, read('clinic').devices.length]).toEqual([5, 12]);
  });
});

describe('a wrong fleet names the field, the value and the range', () => {
  const cases: [string, object, (string | RegExp)[]][] = [
    [
      'a negative memory',
      fleet({ devices: [device('a'), device('b', { memory: -5 })] }),
      ['devices[1].memory (b)', 'is -5', 'from 0 to 1e15, in bytes'],
    ],
    [
      'an absurd speed',
      fleet({ devices: [device('a', { macsPerSecond: 1e30 }), device('b')] }),
      ['devices[0].macsPerSecond (a)', '1e+30', 'from 1000 to 1e16'],
    ],
    [
      'a number as text',
      fleet({ devices: [device('a', { memory: '1 GB' })] }),
      ['memory', '"1 GB"', 'bytes'],
    ],
    [
      'a missing field',
      fleet({ devices: [{ ...device('a'), trusted: undefined }] }),
      ['trusted (a) is missing'],
    ],
    ['an unknown field', fleet({ devices: [device('a', { battery: 3 })] }), ["unknown field 'battery'"]],
    ['no device', fleet({ devices: [] }), ['devices']],
    ['an unknown source', fleet({ source: 'x' }), ["source is 'x'", 'no device']],
    ['a source without trust', fleet({ source: 'b' }), ["'b' is not trusted"]],
    ['two of a name', fleet({ devices: [device('a'), device('a')] }), ["two devices are named 'a'"]],
    [
      'a link to nobody',
      fleet({ links: [{ from: 'a', to: 'z', bytesPerSecond: 1, latency: 0 }] }),
      ["links[0].to is 'z'"],
    ],
    [
      'a link to itself',
      fleet({ links: [{ from: 'a', to: 'a', bytesPerSecond: 1, latency: 0 }] }),
      ["joins 'a' with itself"],
    ],
    [
      'a link said twice',
      fleet({
        links: [
          { from: 'a', to: 'b', bytesPerSecond: 1, latency: 0 },
          { from: 'b', to: 'a', bytesPerSecond: 2, latency: 0 },
        ],
      }),
      ['links[1] repeats', "from 'b' to 'a'"],
    ],
    ['a missing link', fleet({ links: [] }), ["no link from 'a' to 'b'"]],
    [
      'a link between nothing and a byte a second',
      fleet({ links: [{ from: 'a', to: 'b', bytesPerSecond: 0.2, latency: 0 }] }),
      ['links[0].bytesPerSecond', '0.2', '0 for no link'],
    ],
    ['another format', fleet({ format: 'x' }), ['format is "x"', 'bedside-fleet']],
    ['a later version', fleet({ version: 2 }), ['version is 2', 'expected 1']],
    ['a list', [], ['the file']],
  ];
  it.each(cases)('%s', (_, value, says) => {
    const error = errorOf(() => fleetOf(value, 'fleet room.json'));
    expect(error.code).toBe('E_FLEET');
    expect(error.message).toContain('fleet room.json: ');
    expect(error.hint).toBeTruthy();
    for (const part of says) expect(error.message).toContain(part);
  });

  it('text that is not JSON', () => {
    expect(errorOf(() => parseFleet('{', 'fleet x')).message).toMatch(/^fleet x is not JSON/);
  });
});

function errorOf(run: () => unknown): BedsideError {
  try {
    run();
  } catch (error) {
    if (BedsideError.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
