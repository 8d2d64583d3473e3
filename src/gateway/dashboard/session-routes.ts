// Signing in and out: a token is exchanged for a cookie. It is sent in a body, never in an address.
import { VERSION } from '../../util/index.ts';
import { assertOwnPage, sessionCookie, sessionIdOf } from '../security/sessions.ts';
import { type AddRoutes, objectOf, originOf, sendValue } from './api.ts';
import type { SessionInfo } from './wire.ts';

const MOST_BYTES = 16_384;

/** `GET /api/session` says who looks; `POST` with `{"token": …}` signs in; `DELETE` signs out. */
export const addSessionRoutes: AddRoutes = (app, { models, sessions, tokens, audit, demo }) => {
  const shown = {
    version: VERSION,
    models: [...models.values()].map(({ name, version }) => ({ name, version })),
    audit: audit !== undefined,
    ...(demo ? { demo: true } : {}),
  };
  const nobody = { ...shown, models: [], audit: false, caller: '', roles: [], signInNeeded: true };
  app.get('/api/session', (request, reply) => {
    const session = sessions.find(sessionIdOf(originOf(request)));
    const info: SessionInfo = !tokens
      ? { ...shown, signInNeeded: false, caller: request.caller.name, roles: request.caller.roles }
      : session
        ? {
            ...shown,
            signInNeeded: false,
            caller: session.caller.name,
            roles: session.caller.roles,
            expires: session.expires,
          }
        : nobody;
    return sendValue(reply, info);
  });
  app.post('/api/session', { bodyLimit: MOST_BYTES }, async (request, reply) => {
    const origin = originOf(request);
    assertOwnPage(origin);
    const { token } = objectOf(request);
    const caller = tokens ? await tokens.callerOf(`Bearer ${String(token)}`) : request.caller;
    sessions.close(sessionIdOf(origin));
    const { id, session } = sessions.open(caller);
    const { name, roles } = caller;
    const info: SessionInfo = {
      ...{ ...shown, signInNeeded: false, caller: name, roles, expires: session.expires },
    };
    return sendValue(reply.header('set-cookie', sessionCookie(origin, id)), info);
  });
  app.delete('/api/session', (request, reply) => {
    const origin = originOf(request);
    assertOwnPage(origin);
    sessions.close(sessionIdOf(origin));
    return sendValue(reply.header('set-cookie', sessionCookie(origin, undefined)), nobody);
  });
};
