// For sibling folders only: nothing here is published.

export { ask, checkedUrl, hostOf } from './deliver/ask.ts';
export { sha256Of } from './identity.ts';
