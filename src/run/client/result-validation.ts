// Whether what devices say can be so: results beside the requester's own plan, reports beside the bundle.

import type { BundleManifest } from '../../bundle/index.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { assertFiniteRows, BedsideError, must } from '../../util/index.ts';
import type { DeviceReport } from '../device/device.ts';
import type { RunPlan } from '../protocol/plan.ts';

/** Seconds of a stage that can be so: those of a fleet file. */
const [LEAST_SECONDS, MOST_SECONDS] = [1e-9, 3600];

/**
 * Refuses a result that is not of the shape that the bundle and the plan give it, or not finite.
 * @param tensor of a segment of the last stage
 * @throws BedsideError E_DEVICE, E_NOT_FINITE, naming the device
 */
export function assertResult(
  manifest: BundleManifest,
  plan: RunPlan,
  segment: number,
  samples: number,
  tensor: FloatTensor,
): void {
  const last = must(plan.stages.at(-1), 'a stage');
  const { device, from, to } = must(last.segments[segment], 'a segment');
  const { split } = must(manifest.stages[last.index], 'a stage');
  const { classes } = manifest.model.output;
  // Partial sums are as wide as the whole.
  const width = split === 'outputs' && last.segments.length > 1 ? to - from : classes;
  const expected = [samples, width];
  if (tensor.dims.join() !== expected.join() || tensor.data.length !== samples * width) {
    throw new BedsideError(
      'E_DEVICE',
      `device '${device}' gave a result of [${tensor.dims.slice(0, 8).join(', ')}], not [${expected.join(', ')}]`,
      { hint: 'plan without it: it computes something else than the plan says' },
    );
  }
  assertFiniteRows(
    tensor.data,
    samples,
    width,
    (row) => `the scores of sample ${row} that device '${device}' gave`,
  );
}

/**
 * A report as it can be used: of the device that was asked, with finite figures, and times of this bundle alone.
 * @param told what came
 * @throws BedsideError E_DEVICE for one that cannot be so
 */
export function validatedReport(
  device: string,
  manifest: BundleManifest,
  told: Readonly<Partial<Record<keyof DeviceReport, unknown>>>,
): DeviceReport {
  const { name, sessions, memoryUsed, battery, bytesSent, seconds } = told ?? {};
  const refuse = (what: string): BedsideError =>
    new BedsideError('E_DEVICE', `what device '${device}' reports cannot be so: ${what}`, {
      hint: 'leave it out: it is of another version, or not what it claims to be',
    });
  if (name !== device) throw refuse('it is the report of another');
  if (!isAmount(sessions) || !isAmount(memoryUsed) || !isAmount(bytesSent)) throw refuse('its counts');
  if (battery !== undefined && !isFigure(battery)) throw refuse('its battery');
  if (typeof seconds !== 'object' || seconds === null) throw refuse('its times');
  const table: unknown = Object.hasOwn(seconds, manifest.name)
    ? (seconds as Readonly<Record<string, unknown>>)[manifest.name]
    : undefined;
  if (table !== undefined && !isTable(table, manifest)) {
    throw refuse(`its times for '${manifest.name}' are not positive seconds by stage and level`);
  }
  return {
    ...{ name: device, sessions, memoryUsed, bytesSent },
    ...(battery === undefined ? {} : { battery }),
    seconds: table === undefined ? {} : { [manifest.name]: table },
  };
}

function isTable(table: unknown, { stages, ratios }: BundleManifest): table is number[][] {
  return (
    Array.isArray(table) &&
    table.length === stages.length &&
    table.every(
      (row: unknown) =>
        Array.isArray(row) &&
        row.length === ratios.length &&
        row.every((one) => isFigure(one) && one >= LEAST_SECONDS && one <= MOST_SECONDS),
    )
  );
}

function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isAmount(value: unknown): value is number {
  return isFigure(value) && value >= 0;
}
