// For sibling folders only: nothing here is published.

export type { ServeDemoOptions, ServedDemo } from './demo/serve-demo.ts';

export type { AnchorStore, AnchorValue } from './observe/audit-anchor.ts';
export { ROLES, type Role } from './security/tokens.ts';
