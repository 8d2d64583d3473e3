// A service before bundles: the Open Inference Protocol over HTTP, on workers of this machine or of a server.

export { serveDemo } from './demo/serve-demo.ts';
export { writeAuditKey } from './observe/audit-signing.ts';
export { type AuditCheck, verifyAudit } from './observe/audit-verify.ts';
export { NatsAnchor } from './observe/server-anchor.ts';
export { DEFAULT_PORT, type Gateway, type ServeOptions, serve } from './serve.ts';
