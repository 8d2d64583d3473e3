// What the page Ward shows: devices and links of each model, what they hold, and how they are.
import { measureTerm } from '../../bundle/internal.ts';
import type { ServedModel } from '../service/served-model.ts';
import { type AddRoutes, type DashboardParts, sendValue } from './api.ts';
import type { WardDevice, WardInfo, WardLink, WardModel } from './wire-ward.ts';

/** `GET /api/ward`: all of it. Changes come as events. */
export const addWardRoutes: AddRoutes = (app, { ward }) => {
  app.get('/api/ward', { config: { role: 'metrics' } }, async (_request, reply) => {
    await Promise.all([...ward.models.values()].map((watch) => watch.ask().catch(() => {})));
    const info: WardInfo = { models: [...ward.models.values()].map(modelInfo), now: Date.now() };
    return sendValue(reply, info);
  });
};

type Watch = DashboardParts['ward']['models'] extends ReadonlyMap<string, infer W> ? W : never;

function modelInfo({ model, lost, said, plan }: Watch): WardModel {
  const { deployment, bundle, queue, name } = model;
  const { fleet } = deployment;
  const { stages, groups, ratios } = bundle.manifest;
  return {
    model: name,
    source: fleet.devices[fleet.source]?.name ?? '',
    sharedChannel: fleet.sharedChannel,
    measure: measureTerm(bundle.manifest.accuracy),
    devices: fleet.devices.map(
      (device): WardDevice => ({
        name: device.name,
        ...(device.description === undefined ? {} : { description: device.description }),
        trusted: device.trusted,
        memory: device.memory,
        macsPerSecond: device.macsPerSecond,
        lost: lost.get(device.name),
        state: said.get(device.name)?.state ?? null,
      }),
    ),
    links: linksOf(fleet),
    stages: stages.map(stageName),
    groups: groups.length,
    ratios,
    plan: plan?.wire ?? null,
    queue: { waiting: queue.depth, running: queue.running },
    leftOut: deployment.leftOut.map(({ device, message }) => ({ device, why: message })),
  };
}

/** What a stage is called: its first and its last layer with weights; its number where it has none. */
export function stageName({
  index,
  layers,
}: {
  readonly index: number;
  readonly layers: readonly string[];
}): string {
  const [first = `stage ${index + 1}`] = layers;
  const last = layers.at(-1) ?? first;
  return last === first ? first : `${first} – ${last}`;
}

function linksOf({ devices, bandwidth, latency }: ServedModel['deployment']['fleet']): WardLink[] {
  const links: WardLink[] = [];
  for (const [a, from] of devices.entries()) {
    for (const [b, to] of devices.entries()) {
      const rate = bandwidth[a]?.[b] ?? 0;
      const delay = latency[a]?.[b] ?? 0;
      if (a === b || rate === 0) continue;
      const same = bandwidth[b]?.[a] === rate && latency[b]?.[a] === delay;
      if (same && b < a) continue;
      links.push({ from: from.name, to: to.name, both: same, bytesPerSecond: rate, latency: delay });
    }
  }
  return links;
}
