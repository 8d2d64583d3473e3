// A service before bundles: the Open Inference Protocol over HTTP, on workers of this machine or of a server.

export { serveDemo } from './demo/serve-demo.ts';
export { writeAuditKey } from './observe/audit-signing.ts';
export { type AuditCheck, type VerifyOptions, verifyAudit } from './observe/audit-verify.ts';
export { NatsAnchor } from './observe/server-anchor.ts';
export type { TlsFiles } from './security/access.ts';
export type { OidcOptions } from './security/oidc.ts';
export { DEFAULT_PORT, type Gateway, type ServeOptions, serve } from './serve.ts';
