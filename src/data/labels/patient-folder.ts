// Folders of one patient, as databases and hospitals name them.

/** `patient012`, `subject-3`, `case 7`, `p10014354`, ... */
export const PATIENT_FOLDER = /^(?:patient|pat|subject|subj|sub|person|case|p)[-_ ]?\d+$/i;
