// For sibling folders only: nothing here is published.

export { ask, checkedUrl, hostOf, secretFrom } from './deliver/ask.ts';
export { greyImage } from './dicom/grey-image.ts';
export { assertPatient } from './fhir/transaction.ts';
export { sha256Of } from './identity.ts';
