// A service before bundles: the Open Inference Protocol over HTTP, on workers of this machine or of a server.

export { type AuditCheck, verifyAudit } from './observe/audit-verify.ts';
export { ROLES, type Role } from './security/tokens.ts';
export { DEFAULT_PORT, type Gateway, type ServeOptions, serve, type TlsFiles } from './serve.ts';
