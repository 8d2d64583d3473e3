// The ways to an answer that the bench compares: devices, pruning and eight bits, alone and together.
import type { Strategy } from '../../src/app/index.ts';
import type { BundleManifest } from '../../src/bundle/index.ts';

type Within = NonNullable<Strategy['within']>;

/** Without eight-bit forms. */
const float32: Within = ({ eightBit: _, ...manifest }) => manifest;

/** The unpruned network alone. */
const unpruned: Within = (manifest) => ({ ...manifest, variants: manifest.variants.slice(0, 1) });

/** Stages in float32; tensors between devices may travel as eight bits. */
const int8Wire: Within = (manifest) => ({
  ...manifest,
  eightBit: manifest.eightBit?.map((form) => ({ ...form, layers: [] })),
});

const WITHOUT_INT8: readonly Strategy[] = [
  { strategy: 'all on the source', solver: 'local', within: float32 },
  { strategy: 'distribution only', solver: 'distribute-only', within: float32 },
  { strategy: 'pruning only', solver: 'prune-only', within: float32 },
  { strategy: 'both', solver: 'exact', within: float32 },
];

const WITH_INT8: readonly Strategy[] = [
  { strategy: 'int8 only', solver: 'prune-only', within: unpruned },
  { strategy: 'int8 and distribution', solver: 'exact', within: unpruned },
  { strategy: 'int8 and pruning', solver: 'prune-only' },
  { strategy: 'both, int8 wire', solver: 'exact', within: int8Wire },
  { strategy: 'both and int8', solver: 'exact' },
  { strategy: 'both, input sent', solver: 'exact', within: float32, rawInput: 'trusted' },
  { strategy: 'both and int8, input sent', solver: 'exact', rawInput: 'trusted' },
];

/** Whether a way knows of no eight-bit forms, and keeps the input on the source. */
export function isFloat32(way: string): boolean {
  return WITHOUT_INT8.some(({ strategy }) => strategy === way);
}

/** Whether a way lets the input leave the source. */
export function sendsInput(way: string): boolean {
  return WITH_INT8.some(({ strategy, rawInput }) => strategy === way && rawInput === 'trusted');
}

/** The ways that a bundle offers. */
export function waysOf({ eightBit }: BundleManifest): readonly Strategy[] {
  return eightBit ? [...WITHOUT_INT8, ...WITH_INT8] : WITHOUT_INT8;
}
