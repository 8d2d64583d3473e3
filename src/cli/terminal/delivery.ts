// What became of results that are given back, for people.
import type { DeliveryStates } from '../../app/interop/outlets.ts';
import { counted } from '../../util/index.ts';

type DeliveryState = NonNullable<DeliveryStates['fhir']>;

/** A line for each form. */
export function describeDeliveries({ fhir, hl7 }: DeliveryStates): string[] {
  return [
    ...(fhir ? [describe('FHIR', 'server', fhir)] : []),
    ...(hl7 ? [describe('HL7 v2', 'receiver', hl7)] : []),
  ];
}

function describe(form: string, where: string, { delivered, waiting, refused }: DeliveryState): string {
  const parts = [
    `${counted(delivered, 'result')} delivered`,
    ...(waiting > 0 ? [`${waiting} wait in the queue for the next run`] : []),
    ...(refused > 0 ? [`${refused} refused by the ${where}, in the folder 'refused' of the queue`] : []),
  ];
  return `${form}: ${parts.join(', ')}`;
}
