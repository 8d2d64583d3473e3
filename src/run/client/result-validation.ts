// Checks what devices send: results against the coordinator's own plan, reports against the bundle.
import type { BundleManifest } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { assertFiniteRows } from '../../util/internal.ts';
import type { DeviceReport } from '../device/device.ts';
import type { RunPlan } from '../protocol/plan.ts';

/** Valid seconds of a stage, as in a fleet file. */
const [MIN_SECONDS, MAX_SECONDS] = [1e-9, 3600];

/**
 * Refuses a result that has another shape than the bundle and the plan say, or that is not finite.
 * @param segment index of the segment of the last stage that `tensor` comes from
 * @param samples number of samples in the batch
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
  const { outputShape } = taskOf(manifest);
  // Partial sums are as wide as the whole; the channels of an output that is split lie behind the batch.
  const part = split === 'outputs' && last.segments.length > 1;
  const expected = [samples, ...(part ? outputShape.with(0, to - from) : outputShape)];
  const size = expected.reduce((product, dim) => product * dim, 1);
  if (tensor.dims.join() !== expected.join() || tensor.data.length !== size) {
    throw new BedsideError(
      'E_DEVICE',
      `device '${device}' gave a result of [${tensor.dims.slice(0, 8).join(', ')}], not [${expected.join(', ')}]`,
      { hint: 'plan without it: it does not compute what the plan says' },
    );
  }
  assertFiniteRows(
    tensor.data,
    samples,
    size / samples,
    (row) => `the scores of sample ${row} that device '${device}' gave`,
  );
}

/**
 * A report that can be used: it is from the right device, its figures are finite, and it keeps only the times of this
 * bundle.
 * @param received the report as it arrived
 * @throws BedsideError E_DEVICE for an invalid one
 */
export function validatedReport(
  device: string,
  manifest: BundleManifest,
  received: Readonly<Partial<Record<keyof DeviceReport, unknown>>>,
): DeviceReport {
  const { name, sessions, memoryUsed, battery, bytesSent, busy, seconds, secondsInt8 } = received ?? {};
  const refuse = (what: string): BedsideError =>
    new BedsideError('E_DEVICE', `device '${device}' sent an invalid report: ${what}`, {
      hint: 'leave it out: it runs another version of bedside, or is not what it claims to be',
    });
  if (name !== device) throw refuse('it is the report of another device');
  if (!isAmount(sessions) || !isAmount(memoryUsed) || !isAmount(bytesSent)) throw refuse('its counts');
  if (battery !== undefined && !isFigure(battery)) throw refuse('its battery');
  if (busy !== undefined && !isAmount(busy)) throw refuse('its time of computing');
  const tableIn = (times: unknown): SecondsTable | undefined => {
    if (typeof times !== 'object' || times === null) throw refuse('its times');
    const table: unknown = Object.hasOwn(times, manifest.name)
      ? (times as Readonly<Record<string, unknown>>)[manifest.name]
      : undefined;
    if (table === undefined || isTable(table, manifest)) return table;
    throw refuse(`its times for '${manifest.name}' are not positive seconds by stage and level`);
  };
  const table = tableIn(seconds);
  const int8 = secondsInt8 === undefined ? undefined : tableIn(secondsInt8);
  return {
    ...{ name: device, sessions, memoryUsed, bytesSent },
    ...(battery === undefined ? {} : { battery }),
    ...(busy === undefined ? {} : { busy }),
    seconds: table === undefined ? {} : { [manifest.name]: table },
    ...(int8 === undefined ? {} : { secondsInt8: { [manifest.name]: int8 } }),
  };
}

type SecondsTable = readonly (readonly number[])[];

function isTable(table: unknown, { stages, ratios }: BundleManifest): table is SecondsTable {
  return (
    Array.isArray(table) &&
    table.length === stages.length &&
    table.every(
      (row: unknown) =>
        Array.isArray(row) &&
        row.length === ratios.length &&
        row.every((one) => isFigure(one) && one >= MIN_SECONDS && one <= MAX_SECONDS),
    )
  );
}

function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isAmount(value: unknown): value is number {
  return isFigure(value) && value >= 0;
}
