// All paths of the dashboard. Each page's are in a file of their own.
import type { FastifyInstance } from 'fastify';
import type { AddRoutes, DashboardParts } from './api.ts';
import { addAuditRoutes } from './audit-routes.ts';
import { addEventRoutes } from './event-routes.ts';
import { addExplainRoutes } from './explain-routes.ts';
import { addPolicyRoutes } from './policy-routes.ts';
import { addPruningRoutes } from './pruning-routes.ts';
import { addRequestRoutes } from './request-routes.ts';
import { addSessionRoutes } from './session-routes.ts';
import { addStaticFiles } from './static-files.ts';
import { addWardRoutes } from './ward-routes.ts';

const ROUTES: readonly AddRoutes[] = [
  addSessionRoutes,
  addEventRoutes,
  addWardRoutes,
  addRequestRoutes,
  addPruningRoutes,
  addPolicyRoutes,
  addExplainRoutes,
  addAuditRoutes,
];

/** Adds the dashboard to the server. @param pages folder of its files */
export async function addDashboard(
  app: FastifyInstance,
  parts: DashboardParts,
  pages: string,
): Promise<void> {
  for (const add of ROUTES) add(app, parts);
  parts.demo?.(app, parts);
  await addStaticFiles(app, pages);
}
