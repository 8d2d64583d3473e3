// Fleets as use cases take them: a file, or one that is there.
import { type Fleet, parseFleet } from '../../plan/index.ts';
import { readTextChecked } from '../../util/internal.ts';

/**
 * Reads a fleet, if it is the path of a file.
 * @throws BedsideError E_FILE, E_FLEET
 */
export async function fleetFrom(source: Fleet | string): Promise<Fleet> {
  if (typeof source !== 'string') return source;
  return parseFleet(await readTextChecked(source, 'fleet'), `fleet ${source}`);
}
