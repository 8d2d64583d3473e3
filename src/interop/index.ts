// Giving results back to a hospital's systems.

export { type ServerAccess, secretFrom } from './deliver/ask.ts';
export { isFhirServer, type Outlet, type OutletOptions, openOutlet } from './deliver/outlet.ts';
export { heatMapCapture } from './dicom/heat-map.ts';
export { measurementReport } from './dicom/report.ts';
export { readSource } from './dicom/source.ts';
export { DicomWeb } from './dicomweb/client.ts';
export { assertPatient, transactionOf } from './fhir/transaction.ts';
export { assertPatientIdentifier, messageOf as hl7MessageOf } from './hl7/message.ts';
export { type Hl7OutletOptions, openHl7Outlet } from './hl7/mllp.ts';
export type { Result } from './result.ts';
