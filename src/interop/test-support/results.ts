// Results as tests give them back.
import type { AnsweredBy, AnsweredHow, BeatsResult, SampleResult } from '../result.ts';

const HASH = 'a1'.repeat(32);

export const BY: AnsweredBy = {
  bundle: { name: 'ecg <demo>', sha256: HASH },
  network: { sha256: 'b2'.repeat(32) },
  versions: { bedside: '0.2.0', 'onnxruntime-node': '1.30.0' },
  reads: 'signals',
  card: '# ecg\n\nClassifies heartbeats. 97 % – measured.\n',
};

export const HOW: AnsweredHow = {
  levels: [
    [0, 1, 2],
    [0, 0, 0],
  ],
  policy: 'policy',
  policySha256: 'c3'.repeat(32),
  devices: ['wearable', 'hub'],
  remarks: ['2 beats were answered late.'],
};

/** A minute of heartbeats, one of them without an answer. */
export const BEATS: BeatsResult = {
  kind: 'beats',
  id: '01234567-89ab-4cde-8f01-23456789abcd',
  issued: '2026-03-01T10:01:02.000Z',
  by: BY,
  how: HOW,
  period: { start: '2026-03-01T10:00:00.000Z', end: '2026-03-01T10:01:00.000Z' },
  replayed: true,
  lead: 'MLII',
  rate: 360,
  classes: ['N', 'S', 'V', 'F', 'Q'],
  beats: Array.from({ length: 70 }, (_, i) => ({
    at: 0.85 * i + 0.1,
    class: i === 9 ? null : i % 10 === 5 ? 2 : 0,
    probability: i === 9 ? null : 0.5 + i / 200,
  })),
  heartRate: { mean: 70.588235294, min: 61.2, max: 88 },
  rhythm: { couplets: 1, ventricularRuns: 0, pauses: 0, rules: 'A pause is longer than 2 s.' },
};

/** One image's answer. */
export const IMAGE: SampleResult = {
  kind: 'sample',
  id: '11234567-89ab-4cde-8f01-23456789abcd',
  issued: '2026-03-01T10:01:02.000Z',
  by: { ...BY, reads: 'images' },
  how: {
    ...HOW,
    levels: [[0, 0]],
    policy: 'none: the unpruned network',
    policySha256: undefined,
    devices: [],
  },
  study: {
    studyUid: '1.2.826.0.1.3680043.2.1',
    seriesUid: '1.2.826.0.1.3680043.2.2',
    instanceUid: '1.2.826.0.1.3680043.2.3',
  },
  exclusive: true,
  parts: [
    { name: 'ChestCT', probability: 0.9123456789, found: true },
    { name: 'Hand', probability: 0.0876543211, found: false },
  ],
};
