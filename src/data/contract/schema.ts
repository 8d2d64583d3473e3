// The format of model.json, strict: a misspelt field is refused, not ignored. Written out in docs/model.schema.json.
import { z } from 'zod';
import { TASKS } from '../../util/index.ts';

const number = (low: number, high: number) => {
  const error = `expected a number from ${low} to ${high}`;
  return z.number({ error }).min(low, { error }).max(high, { error });
};
const whole = (low: number, high: number) => {
  const error = `expected a whole number from ${low} to ${high}`;
  return z.int({ error }).min(low, { error }).max(high, { error });
};
const oneOf = <const T extends readonly [string, ...string[]]>(names: T) =>
  z.enum(names, { error: `expected ${names.map((name) => `"${name}"`).join(', ')}` });
const name = z.string({ error: 'expected a name' }).min(1, { error: 'expected a name' }).max(256);
const MOST = 1e9;
/** More channels than any image or recording has. */
const MOST_CHANNELS = 4096;

/** A number, or one for each channel. */
const each = (low: number, high: number, what: string) =>
  z
    .union([number(low, high), z.array(number(low, high)).min(1).max(MOST_CHANNELS)], {
      error: `expected a number from ${low} to ${high}, or a list of them, one for each channel`,
    })
    .describe(what);
const size = z.union([whole(1, 65_536), z.tuple([whole(1, 65_536), whole(1, 65_536)])], {
  error: 'expected a whole number, or [height, width]',
});

const image = z
  .strictObject({
    bits: whole(1, 32).describe(
      'Bits of a stored value: white is 2^bits - 1. Absent: 8 or 16, by the type of the data.',
    ),
    window: z
      .union(
        [
          z.strictObject({ low: number(-MOST, MOST), high: number(-MOST, MOST) }),
          z.strictObject({ centre: number(-MOST, MOST), width: number(1e-9, MOST) }),
        ],
        { error: 'expected {"low", "high"} or {"centre", "width"}' },
      )
      .refine((window) => !('low' in window) || window.low < window.high, {
        error: 'expected low below high',
      })
      .describe(
        'Stored values that become 0 and 1; others are clipped. `scale` is then 1 unless it is said.',
      ),
    resize: z
      .strictObject({
        mode: oneOf(['stretch', 'cover', 'contain', 'none']).describe(
          '`stretch`: height and width each. `cover`: own shape, covers the size. `contain`: own shape, within the size.',
        ),
        size: size.describe("Height and width, or one number for both. Absent: the network's.").optional(),
        kernel: oneOf(['nearest', 'linear', 'cubic', 'lanczos'])
          .describe('Interpolation; absent: linear, with antialiasing.')
          .optional(),
        fill: number(0, 2 ** 32)
          .describe('Stored value around a picture that does not fill the input; absent: 0.')
          .optional(),
      })
      .describe('How a picture of another size is resized; absent: stretched.'),
    crop: z
      .strictObject({
        mode: oneOf(['centre', 'top-left']),
        size: size.describe("Height and width of the part, the network's.").optional(),
      })
      .describe(
        'Which part is taken of a picture that is larger than the input after resizing; absent: centre.',
      ),
    colour: oneOf(['RGB', 'BGR']).describe("Order of the network's channels; absent: RGB."),
    scale: number(1e-9, MOST).describe(
      'What a stored value is multiplied by; absent: 1 / white (1/255 of bytes).',
    ),
    mean: each(-MOST, MOST, 'Subtracted after scaling; absent: 0.'),
    deviation: each(1e-9, MOST, 'Divided by after that; absent: 1.'),
    layout: oneOf(['NCHW', 'NHWC']).describe("Absent: from the input's shape."),
  })
  .partial()
  .describe(
    'Images: value = (stored value * scale - mean) / deviation, after window, resizing, cropping and colour.',
  );

const normalisation = z.union(
  [
    z.strictObject({ kind: z.literal('none') }),
    z.strictObject({
      kind: z.literal('z-score'),
      per: oneOf(['window', 'lead']).optional(),
      epsilon: number(0, 1e6).describe('Added to the deviation; absent: 1e-6.').optional(),
    }),
    z.strictObject({
      kind: z.literal('fixed'),
      mean: each(-MOST, MOST, 'Subtracted, in `units`.'),
      deviation: each(1e-12, MOST, 'Divided by, in `units`.'),
    }),
  ],
  {
    error:
      'expected {"kind": "none"}, {"kind": "z-score", "per": "window" or "lead", "epsilon"} or ' +
      '{"kind": "fixed", "mean", "deviation"}',
  },
);

const signal = z
  .strictObject({
    leads: z
      .array(z.union([name, z.array(name).min(1)], { error: 'expected a name, or a list of names' }))
      .min(1)
      .max(MOST_CHANNELS)
      .describe('For each lead its names in the data, the first that is there; `*`: any lead not yet taken.'),
    samplingRate: number(1, 1e6).describe('Samples a second that the network reads.'),
    units: oneOf(['mV', 'uV', 'V', 'steps']).describe(
      'What 1 means; `steps`: those of the converter, from its baseline. Absent: mV.',
    ),
    window: z
      .union(
        [
          z.strictObject({
            around: z.literal('beat'),
            before: whole(0, 1e7).describe('Samples before the R peak.'),
            after: whole(1, 1e7)
              .describe("Samples from the R peak on; absent: the rest of the network's input.")
              .optional(),
          }),
          z.strictObject({
            around: z.literal('segment'),
            step: whole(1, 1e9)
              .describe('Samples from one segment to the next; absent: the length of a segment.')
              .optional(),
          }),
        ],
        { error: 'expected {"around": "beat", "before", "after"} or {"around": "segment", "step"}' },
      )
      .describe(
        "A window around each beat, or segments one after another; in samples at the network's rate.",
      ),
    normalisation: normalisation.describe('Absent: z-score of each lead of a window.'),
    layout: oneOf(['leads-first', 'leads-last']).describe("Absent: from the input's shape."),
    labels: oneOf(['aami', 'symbols']).describe(
      'Labels of beats: the five classes of ANSI/AAMI EC57, or annotation symbols as they are.',
    ),
  })
  .partial()
  .describe('Recordings: leads at the rate of the network, in units, windows, normalised.');

/** The format of model.json. */
export const CONTRACT_SCHEMA = z
  .strictObject({
    $schema: z.string().describe('For editors; not read.'),
    inputs: z.array(name).min(1).describe("Names of the network's inputs, in its order."),
    output: name.describe('The output that is measured and explained; absent: the first.'),
    task: oneOf(TASKS).describe('Absent: inferred from the output and the labels.'),
    threshold: each(
      0,
      1,
      'Probability from which a label counts as there, for all labels or for each; absent: 0.5.',
    ),
    probabilities: z
      .boolean()
      .describe('Whether the output is a probability (sigmoid, softmax) and not a logit.'),
    classes: z.array(name).min(1).describe("Names of the network's classes, in the order of its scores."),
    classMap: z
      .record(
        z.string(),
        z.union([whole(0, 1e6), name, z.null()], {
          error: 'expected the index or the name of a class of the network, or null to leave the label out',
        }),
      )
      .describe(
        'Label of the data: index or name of a class of the network, or null to leave its samples out.',
      ),
    image,
    signal,
  })
  .partial()
  .describe('How raw data become the input of a network, and what its scores mean. Every field is optional.');
