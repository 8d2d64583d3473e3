// What only the demo's gateway has: devices to kill and to start again, and a link to throttle.
import type { FastifyInstance } from 'fastify';
import { BedsideError } from '../../util/index.ts';
import type { DemoWard } from '../demo/demo-ward.ts';
import { type DashboardParts, objectOf, sendValue } from './api.ts';

const MOST_BYTES = 4096;

/** `GET /api/demo`; `POST /api/demo` with `{"kill": "tablet"}`, `{"revive": "tablet"}` or `{"throttle": true}`. */
export function addDemoRoutes(app: FastifyInstance, _parts: DashboardParts, ward: DemoWard): void {
  app.get('/api/demo', { config: { role: 'metrics' } }, async (_request, reply) =>
    sendValue(reply, await ward.state()),
  );
  app.post('/api/demo', { config: { role: 'admin' }, bodyLimit: MOST_BYTES }, async (request, reply) => {
    const { kill, revive, throttle } = objectOf(request);
    if (typeof kill === 'string') await ward.kill(kill);
    else if (typeof revive === 'string') await ward.revive(revive);
    else if (typeof throttle === 'boolean') await ward.throttle(throttle);
    else
      throw new BedsideError('E_REQUEST', 'kill or revive is the name of a device, throttle true or false');
    return sendValue(reply, await ward.state());
  });
}
