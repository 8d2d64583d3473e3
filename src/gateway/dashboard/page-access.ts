// Who asks, where a page does: the cookie of its session instead of an Authorization header.
import type { FastifyRequest } from 'fastify';
import { assertLocalName, assertOwnPage, sessionIdOf } from '../security/sessions.ts';
import type { Caller } from '../security/tokens.ts';
import { type DashboardParts, originOf } from './api.ts';

/**
 * The caller of a page's session; undefined where there is none.
 * @throws BedsideError E_FORBIDDEN for what another site may have made a browser send
 */
export function callerOfPage(
  request: FastifyRequest,
  { sessions, tokens, ownMachineOnly }: DashboardParts,
): Caller | undefined {
  if (request.headers.authorization !== undefined) return undefined;
  const origin = originOf(request);
  const isPath = request.url.startsWith('/api/');
  if (!tokens) {
    if (isPath && ownMachineOnly) assertLocalName(request.headers.host);
    if (isPath) assertOwnPage(origin);
    return undefined;
  }
  const session = sessions.find(sessionIdOf(origin));
  if (session) assertOwnPage(origin);
  return session?.caller;
}
