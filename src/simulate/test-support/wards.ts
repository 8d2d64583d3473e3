// Wards for tests.
import { type DeviceSketch, fleetOfDevices } from '../../plan/test-support/fleets.ts';
import type { WardSpec } from '../layout.ts';
import type { WardParameters } from '../parameters.ts';
import { WARD_DEFAULTS } from '../presets.ts';

/** Nothing moves; requests come one at a time. */
export const STILL: WardParameters = {
  ...WARD_DEFAULTS,
  requests: { ...WARD_DEFAULTS.requests, perSecond: 0.01, mix: { deviation: 0, seconds: 1 } },
  radio: { ...WARD_DEFAULTS.radio, snr: { mean: 20, deviation: 0, seconds: 1 }, outagesPerHour: 0 },
  load: { mean: 0.3, deviation: 0, seconds: 1 },
  memory: { mean: 0.3, deviation: 0, seconds: 1 },
  battery: {
    ...WARD_DEFAULTS.battery,
    all: { capacity: 1e6, idle: 0, charge: 0 },
    start: [1, 1],
  },
  presence: { stays: Number.POSITIVE_INFINITY, away: 1 },
};

/** Three devices: the source, a fast one with a battery, and one that is not trusted. */
export const DEVICES: readonly DeviceSketch[] = [
  { macsPerSecond: 2e7 },
  { macsPerSecond: 1e8, energy: 1 },
  { macsPerSecond: 3e8, trusted: false },
];

/** A ward of those devices. */
export function wardOf(
  parameters: Partial<WardParameters> = {},
  seed = 1,
  devices: readonly DeviceSketch[] = DEVICES,
  channel: 'independent' | 'shared' = 'independent',
): WardSpec {
  const fleet = fleetOfDevices(devices, { channel, latency: 0.002, bytesPerSecond: 1e6 });
  return {
    fleet: { ...fleet, request: { deadline: 1, privacy: 'open' } },
    parameters: { ...STILL, ...parameters },
    seed,
  };
}
