// What became of results as FHIR, for people.
import type { OutletState } from '../../interop/index.ts';

/** One line. */
export function describeDelivery({ delivered, waiting, refused }: OutletState): string {
  const parts = [
    `${delivered} result${delivered === 1 ? '' : 's'} delivered`,
    ...(waiting > 0 ? [`${waiting} wait in the queue for the next run`] : []),
    ...(refused > 0 ? [`${refused} refused by the server, in the folder 'refused' of the queue`] : []),
  ];
  return `FHIR: ${parts.join(', ')}`;
}
