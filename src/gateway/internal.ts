// For sibling folders only: nothing here is published.


export { ROLES, type Role } from './security/tokens.ts';

export type { AnchorStore, AnchorValue } from './observe/audit-anchor.ts';
export { type ServeDemoOptions, type ServedDemo } from './demo/serve-demo.ts';
