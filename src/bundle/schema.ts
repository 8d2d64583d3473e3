// The manifest as a schema: what a bundle.json may say. What its parts say of each other is in `consistency.ts`.
import { z } from 'zod';
import { TASKS } from '../util/index.ts';
import { BUNDLE_MEASURES, BUNDLE_VERSION, type BundleManifest } from './manifest.ts';

const count = z.number().int().nonnegative();
const positive = z.number().int().positive();
/** Multiply-accumulates and bytes: not whole where a batch size was divided out. */
const amount = z.number().nonnegative();
const seconds = z.number().nonnegative();
const fraction = z.number().min(0).max(1);
const name = z.string().min(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');
/** A plain name: a manifest cannot point out of its folder. */
const fileName = z
  .string()
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/, 'expected the name of a file in the folder, without a path');

const filePart = { file: fileName, sha256, bytes: count };

const share = z.object({ group: count, share: z.number().gt(0).max(1) });

const group = z.object({
  id: count,
  channels: z.number().int().min(2),
  layers: z.array(name).min(1),
  counts: z.array(positive).min(1),
});

const layer = z.object({
  name,
  stage: count,
  inputs: z.array(share),
  outputs: z.array(share),
  macs: amount,
  weightBytes: amount,
  biasBytes: amount,
  inputBytes: amount,
  outputBytes: amount,
  reads: z.array(share),
  tables: z.boolean(),
  seconds: z.array(z.array(seconds)).optional(),
});

const stage = z.object({
  index: count,
  nodes: z.array(name).min(1),
  layers: z.array(name),
  input: name,
  output: name,
  outputBytes: amount,
  outputShares: z.array(share),
  otherBytes: amount,
  otherMacs: amount.optional(),
  products: z.array(z.object({ macs: amount, shares: z.array(share) })).optional(),
  split: z.enum(['outputs', 'partial-sums', 'none']),
  splitGroup: count.optional(),
  seconds: z.array(seconds).optional(),
});

const eightBitForm = z.object({
  layers: z.array(name),
  values: z.array(name),
  kept: z.string().optional(),
  loss: z.number().nonnegative(),
  inputLoss: z.number().nonnegative().optional(),
  seconds: z.array(seconds).optional(),
});

const variant = z.object({
  levels: z.array(count),
  corrected: z.boolean(),
  accuracy: fraction,
  lowerBound: fraction,
  agreement: fraction,
  recall: z.array(fraction.nullable()),
  macs: amount,
  weightBytes: amount,
  crossingBytes: amount,
  seconds: seconds.optional(),
  eightBit: z.object({ accuracy: fraction, lowerBound: fraction, agreement: fraction }).optional(),
});

/** Unknown fields are left out of the result: a change that a reader must know of raises the version. */
export const manifestSchema = z.object({
  format: z.literal('bedside-bundle'),
  version: z.number().int().min(1).max(BUNDLE_VERSION),
  name,
  model: z.object({
    ...filePart,
    source: z.object({ file: z.string(), sha256 }),
    input: z.object({
      name,
      shape: z.array(positive),
      integers: z.union([z.literal(8), z.literal(16)]).optional(),
    }),
    output: z.object({ name, classes: positive }),
  }),
  task: z
    .object({
      kind: z.enum(TASKS),
      outputShape: z.array(positive),
      classes: positive,
      threshold: z.number().optional(),
      probabilities: z.boolean().optional(),
      labels: z.array(z.string()).optional(),
    })
    .optional(),
  weights: z.object(filePart),
  preprocessing: z.object({ kind: z.enum(['images', 'beats', 'tensors']), description: z.string() }),
  contract: z.record(z.string(), z.unknown()).optional(),
  ratios: z.array(z.number().min(0).lt(1)).min(1),
  groups: z.array(group),
  layers: z.array(layer).min(1),
  stages: z.array(stage).min(1),
  uncounted: z
    .array(z.object({ name: z.string(), op: name }))
    .min(1)
    .optional(),
  measured: z
    .object({
      machine: z.string(),
      provider: z.string(),
      threads: positive,
      batch: positive,
      date: z.string(),
    })
    .optional(),
  eightBit: z.array(eightBitForm).min(1).optional(),
  precisionChoice: z
    .object({
      by: z.enum(['request', 'measurement']),
      reason: z.string(),
      speedup: z.number().nonnegative().optional(),
      lost: z.number().optional(),
    })
    .optional(),
  accuracy: z.object({
    unpruned: fraction,
    measure: z.enum(BUNDLE_MEASURES),
    loss: z.array(z.array(z.number().nonnegative())),
    maxError: z.number().nonnegative(),
    meanError: z.number().nonnegative(),
    fitted: count,
    checked: count,
  }),
  variants: z.array(variant).min(1),
  provenance: z.object({
    criterion: z.string(),
    dataset: z.string(),
    calibration: count,
    validation: count,
    labelled: z.boolean(),
    seed: z.number().int(),
    created: z.string(),
    versions: z.record(z.string(), z.string()),
  }),
});

/** Does not compile unless the schema and the type say the same. */
type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
true satisfies Equal<Frozen<z.infer<typeof manifestSchema>>, Frozen<BundleManifest>>;
