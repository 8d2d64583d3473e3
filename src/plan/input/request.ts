// A request: what one inference must keep to and what it strives for. Written out for other languages in
// docs/request.schema.json.
import { z } from 'zod';
import { bounded, readJson } from './read-json.ts';

/** Where untrusted devices may take part; see `maxSeenOf`. */
export const PRIVACY_PRESETS = ['strict', 'late', 'open'] as const;

export type PrivacyPreset = (typeof PRIVACY_PRESETS)[number];

/** Whether eight-bit forms may be chosen. */
export const PRECISION_CHOICES = ['any', 'float32'] as const;

/** Where the raw input may go. */
export const RAW_INPUT_CHOICES = ['source', 'trusted'] as const;

const weight = () => bounded(0, 1e9, '');

/** The fields, each optional in a fleet's own `request`. */
export const REQUEST_FIELDS = {
  deadline: bounded(1e-6, 86_400, 'seconds').describe('Seconds from the request to its result.'),
  accuracyFloor: bounded(0, 1, '').describe(
    "By the measure of the bundle's accuracy model. Absent: `accuracyDrop` below the unpruned network.",
  ),
  accuracyDrop: bounded(0, 1, '').describe(
    'How far below the unpruned network; used without `accuracyFloor`.',
  ),
  weights: z
    .strictObject({
      time: weight(),
      energy: weight(),
      accuracy: weight(),
      per: z.enum(['local', 'unit'], { error: "expected 'local' or 'unit'" }).default('local'),
    })
    .describe(
      'Objective: time * T + energy * E + accuracy * (1 - A). `local`: T and E are counted in what the unpruned network takes on the source alone; `unit`: in seconds and joules.',
    ),
  privacy: z
    .enum(PRIVACY_PRESETS, { error: `expected ${PRIVACY_PRESETS.map((name) => `'${name}'`).join(', ')}` })
    .describe(
      '`strict`: untrusted devices see nothing. `late`: nothing of the first half of the stages, everything after. `open`: everything but the input.',
    ),
  maxSeen: z
    .array(bounded(0, 1, 'shares'))
    .min(1)
    .describe('By stage: the share of its output that an untrusted device may see. Goes before `privacy`.'),
  levels: z
    .enum(['free', 'certified'], { error: "expected 'free' or 'certified'" })
    .describe(
      '`free`: any level of every group, by the accuracy model; `certified`: measured variants only.',
    ),
  precision: z
    .enum(PRECISION_CHOICES, { error: `expected ${PRECISION_CHOICES.map((name) => `'${name}'`).join(', ')}` })
    .describe(
      '`any`: stages, and tensors between devices, may be eight-bit where the bundle has such forms; `float32`: none.',
    ),
  rawInput: z
    .enum(RAW_INPUT_CHOICES, { error: `expected ${RAW_INPUT_CHOICES.map((name) => `'${name}'`).join(', ')}` })
    .describe(
      '`source`: the first stage runs on the source, which keeps the raw input. `trusted`: it may run on any trusted device, and the input then travels there.',
    ),
};

/** The format of a request file. */
export const REQUEST_SCHEMA = z
  .strictObject(REQUEST_FIELDS)
  .partial()
  .describe('What one inference must keep to and strives for. Units: seconds, joules, shares.');

/** The fields of a request. */
export type RequestInput = z.output<typeof REQUEST_SCHEMA>;

/** A request with everything said. */
export interface PlanRequest {
  readonly deadline: number;
  readonly accuracyFloor?: number | undefined;
  readonly accuracyDrop: number;
  readonly weights: NonNullable<RequestInput['weights']>;
  readonly privacy: PrivacyPreset;
  readonly maxSeen?: readonly number[] | undefined;
  readonly levels: 'free' | 'certified';
  readonly precision: (typeof PRECISION_CHOICES)[number];
  readonly rawInput: (typeof RAW_INPUT_CHOICES)[number];
}

/** Defaults where neither a request nor the fleet gives a value. */
export const REQUEST_DEFAULTS: PlanRequest = {
  deadline: 60,
  accuracyDrop: 0.02,
  weights: { time: 1, energy: 0.25, accuracy: 3, per: 'local' },
  privacy: 'strict',
  levels: 'free',
  precision: 'any',
  rawInput: 'source',
};

/**
 * Reads a request file's text. `name` is told in errors.
 * @throws BedsideError E_REQUEST
 */
export function parseRequest(text: string, name = 'the request'): RequestInput {
  return readJson(REQUEST_SCHEMA, text, {
    code: 'E_REQUEST',
    name,
    hint: 'docs/fleets.md explains every field of a request; all of them are optional',
  });
}

/** One request: of several inputs, the first that says something counts, field by field; then the defaults. */
export function completeRequest(...inputs: readonly RequestInput[]): PlanRequest {
  const merged: Record<string, unknown> = { ...REQUEST_DEFAULTS };
  for (const input of [...inputs].reverse()) {
    // A floor or a drop, shares or a preset: whichever is said nearer to the request replaces the other.
    if (input.accuracyDrop !== undefined) delete merged.accuracyFloor;
    if (input.privacy !== undefined) delete merged.maxSeen;
    for (const [key, value] of Object.entries(input)) if (value !== undefined) merged[key] = value;
  }
  return merged as unknown as PlanRequest;
}

/**
 * The share of every stage's output that untrusted devices may see. The result, scores of classes, counts as a stage's
 * output like any other.
 */
export function maxSeenOf(request: Pick<PlanRequest, 'privacy' | 'maxSeen'>, stages: number): number[] {
  if (request.maxSeen) return Array.from({ length: stages }, (_, l) => request.maxSeen?.[l] ?? 0);
  const open = { strict: stages, late: Math.ceil(stages / 2), open: 0 }[request.privacy];
  return Array.from({ length: stages }, (_, l) => (l < open ? 0 : 1));
}
