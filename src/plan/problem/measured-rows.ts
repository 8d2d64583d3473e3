// What devices measured of a bundle, if it fits the bundle.
import type { BundleManifest } from '../../bundle/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { FleetDevice } from '../input/fleet.ts';

/** What a device measured of this bundle. @throws BedsideError E_FLEET for measurements of another bundle of its name */
export function measuredRows(
  manifest: BundleManifest,
  device: FleetDevice,
  measured: FleetDevice['seconds'],
): readonly (readonly number[])[] | undefined {
  const rows = measured?.[manifest.name];
  if (rows) assertMeasured(manifest, device.name, rows);
  return rows;
}

function assertMeasured(
  manifest: BundleManifest,
  device: string,
  measured: readonly (readonly number[])[],
): void {
  const [stages, levels] = [manifest.stages.length, manifest.ratios.length];
  const wrong = measured.findIndex((row) => row.length !== levels);
  if (measured.length === stages && wrong < 0) return;
  const what =
    measured.length === stages
      ? `${measured[wrong]?.length} levels for stage ${wrong}, not ${levels}`
      : `${measured.length} stages, not ${stages}`;
  throw new BedsideError('E_FLEET', `seconds of device '${device}' for bundle '${manifest.name}': ${what}`, {
    hint: 'they were measured with another bundle of that name; measure again, or leave them out',
  });
}
