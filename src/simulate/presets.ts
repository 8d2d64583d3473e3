// Presets of four places. docs/ward.md gives the source of each figure.
import type { Battery, RequestKind, WardParameters } from './parameters.ts';

/** Names of presets; each goes with the example fleet of the same name. */
export const WARD_PRESETS = ['ward', 'ambulance', 'home', 'clinic'] as const;

export type WardPreset = (typeof WARD_PRESETS)[number];

const TABLET: Battery = { capacity: 97_000, idle: 0.8, charge: 10 };
const PHONE: Battery = { capacity: 41_000, idle: 0.5, charge: 10 };
const BAND: Battery = { capacity: 2_700, idle: 0.004, charge: 0.25 };

const KINDS: readonly RequestKind[] = [
  { name: 'routine', share: 0.6, deadline: 1 },
  { name: 'urgent', share: 0.25, deadline: 0.5, accuracyDrop: 0.05 },
  { name: 'private', share: 0.15, deadline: 1, privacy: 'strict' },
];

/** Defaults of presets and of fleets from files. */
export const WARD_DEFAULTS: WardParameters = {
  block: 0.1,
  requests: { perSecond: 2, kinds: KINDS, mix: { deviation: 0.5, seconds: 600 }, deadlineSpread: 0.2 },
  radio: {
    snr: { mean: 22, deviation: 4, seconds: 2 },
    outagesPerHour: 6,
    outageSeconds: 2,
    cableBelow: 0.001,
  },
  load: { mean: 0.3, deviation: 0.15, seconds: 20 },
  memory: { mean: 0.3, deviation: 0.08, seconds: 120 },
  battery: {
    all: TABLET,
    of: {},
    start: [0.2, 1],
    gives: [0.1, 0.3],
    charger: [0.08, 0.9],
  },
  presence: { stays: 900, away: 300 },
};

/** Everything that moves in a place of this name. */
export function wardPreset(name: WardPreset): WardParameters {
  const { requests, radio, battery } = WARD_DEFAULTS;
  switch (name) {
    case 'ward':
      return WARD_DEFAULTS;
    case 'ambulance':
      return {
        ...WARD_DEFAULTS,
        requests: { ...requests, perSecond: 1 },
        radio: {
          ...radio,
          snr: { mean: 15, deviation: 7, seconds: 1 },
          outagesPerHour: 40,
          outageSeconds: 3,
        },
        battery: { ...battery, of: { phone: PHONE }, start: [0.1, 0.8] },
        presence: { stays: 1200, away: 120 },
      };
    case 'home':
      return {
        ...WARD_DEFAULTS,
        requests: { ...requests, perSecond: 0.5 },
        radio: { ...radio, snr: { mean: 18, deviation: 6, seconds: 3 }, outagesPerHour: 12 },
        battery: { ...battery, all: PHONE, of: { band: BAND } },
        presence: { stays: 3600, away: 1200 },
      };
    case 'clinic':
      return {
        ...WARD_DEFAULTS,
        requests: { ...requests, perSecond: 5 },
        battery: { ...battery, of: { 'guest-2': PHONE } },
        presence: { stays: 600, away: 400 },
      };
    default:
      return name satisfies never;
  }
}
