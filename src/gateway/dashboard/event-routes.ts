// The stream of events that pages watch.
import type { AddRoutes } from './api.ts';

/** `GET /api/events`: server-sent events, from the one after `Last-Event-ID` on. */
export const addEventRoutes: AddRoutes = (app, { hub }) => {
  app.get('/api/events', { config: { role: 'metrics' } }, (request, reply) => {
    const last = request.headers['last-event-id'];
    reply.raw.setHeader('content-type', 'text/event-stream');
    reply.raw.setHeader('cache-control', 'no-store');
    reply.raw.setHeader('x-accel-buffering', 'no');
    hub.watch(reply.raw, typeof last === 'string' ? last : undefined);
    reply.raw.flushHeaders();
    // The stream belongs to the hub from here on.
    reply.hijack();
  });
  // Streams never end by themselves: closing the server would wait for them.
  app.addHook('preClose', async () => hub.close());
};
