// Bundles as a service: workers, deployments, and the HTTP server before them.
import { type AddressInfo, isIP } from 'node:net';
import {
  type DeploymentOptions,
  fleetFrom,
  type Journal,
  journalOf,
  LocalPool,
  loadBundle,
  NatsPool,
  Outlook,
  type PickedSamples,
  pickedSamples,
  type Reporter,
  type WorkerPool,
} from '../app/index.ts';
import type { Bundle } from '../bundle/index.ts';
import type { Fleet } from '../plan/index.ts';
import { BedsideError, messageOf, VERSION } from '../util/index.ts';
import type { AddRoutes, DashboardParts } from './dashboard/api.ts';
import { EventHub } from './dashboard/event-hub.ts';
import { builtPages } from './dashboard/static-files.ts';
import type { PolicyPoint } from './dashboard/wire-policy.ts';
import { createServer } from './http/server.ts';
import { Metrics } from './observe/metrics.ts';
import { type AuditSettings, type OpenedAudit, openAudit } from './observe/open-audit.ts';
import { type AccessOptions, openAccess } from './security/access.ts';
import { Sessions } from './security/sessions.ts';
import { ExplainDesk } from './service/explain-desk.ts';
import { PolicyDesk } from './service/policy-desk.ts';
import { RequestHistory } from './service/request-history.ts';
import { ServedModel } from './service/served-model.ts';
import { WardWatch } from './service/ward-watch.ts';

/** How bundles are served. */
export interface ServeOptions extends DeploymentOptions, AccessOptions, AuditSettings {
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Default 8500; 0 takes a free one. */
  readonly port?: number | undefined;
  /** Address of a NATS server whose workers compute; default: processes of this machine. */
  readonly fabric?: string | undefined;
  readonly credentials?: string | undefined;
  /** Processes of this machine; default 2. */
  readonly workers?: number | undefined;
  /** Workers of your own for each bundle, instead of `fabric` and `workers`; the gateway closes them. */
  readonly pool?: ((bundle: Bundle) => WorkerPool) | undefined;
  /** The fleet that processes emulate, or whose devices on the server take part; or its file. */
  readonly fleet?: Fleet | string | undefined;
  /** Requests of a model that run at the same time, and that wait; default 16 and 256. */
  readonly running?: number | undefined;
  readonly waiting?: number | undefined;
  /** Bytes of a body; default 64 MiB. */
  readonly bodyLimit?: number | undefined;
  /** Whether there are pages to watch by, at `/` (default); or the folder of their files, instead of the built ones. */
  readonly dashboard?: boolean | string | undefined;
  /** Seconds that a sender has for a whole request; default 30. */
  readonly sendSeconds?: number | undefined;
  /**
   * Data whose samples people may pick in the dashboard: one for all models, or by model. They are kept in memory, a few of
   * each class. Default: none.
   */
  readonly samples?: string | Readonly<Record<string, string>> | undefined;
  /** Where one JSON line for each request goes; default: nowhere. */
  readonly log?: NodeJS.WritableStream | undefined;
}

/** The port that a gateway listens on unless told otherwise. */
export const DEFAULT_PORT = 8500;
/** Seconds until a worker of this machine whose process ended is started again. */
const REVIVE_SECONDS = 5;
const DEFAULT_RUNNING = 16;
const DEFAULT_WAITING = 256;
const DEFAULT_BODY = 64 * 2 ** 20;

/** A running gateway. `close` lets requests end. */
export interface Gateway extends AsyncDisposable {
  readonly url: string;
  readonly models: readonly string[];
  /** A token for everything, which is shown this once; undefined where none was made. */
  readonly token: string | undefined;
  /** Address of the dashboard; undefined where there is none. */
  readonly dashboard: string | undefined;
  close(): Promise<void>;
}

/**
 * Serves bundles over HTTP by the Open Inference Protocol, version 2, on workers.
 * @param bundles opened ones, or their folders
 * @throws BedsideError E_USAGE for a host off this machine without TLS and tokens, and for two bundles of one name; E_FILE for
 *   files of TLS or tokens; E_OUTPUT for the audit log; E_FABRIC when the port is taken or workers do not start; as
 *   `Deployment.start`
 */
export function serve(
  bundles: readonly (Bundle | string)[],
  options: ServeOptions = {},
  reporter?: Reporter | Journal,
): Promise<Gateway> {
  return startGateway(bundles, options, reporter);
}

/** What only the demo's gateway has. */
export interface DemoParts {
  readonly addRoutes: AddRoutes;
  /** Called with each model before anybody may ask. */
  readonly onModel: (model: ServedModel) => void;
}

/** As `serve`; and with the parts of the demo. */
export async function startGateway(
  bundles: readonly (Bundle | string)[],
  options: ServeOptions,
  reporter?: Reporter | Journal,
  demo?: DemoParts,
): Promise<Gateway> {
  const hub = new EventHub();
  const journal = noting(journalOf(reporter), (text) => hub.publish('note', { at: Date.now(), text }));
  const opened = await openAll(bundles, journal);
  const access = await openAccess(options);
  for (const note of access.notes) journal.note(note);
  const started = new Started();
  try {
    const kept = await openAudit(options, journal);
    if (kept) started.add(() => kept.close());
    const audit = kept?.log;
    const models = new Map<string, ServedModel>();
    for (const bundle of opened) {
      const pool = await poolOf(bundle, options, journal);
      started.add(() => pool.close());
      const bounds = {
        running: options.running ?? DEFAULT_RUNNING,
        waiting: options.waiting ?? DEFAULT_WAITING,
      };
      const model = await ServedModel.start(pool, { timed: true, ...options }, bounds, journal);
      started.add(() => model.close());
      models.set(model.name, model);
      demo?.onModel(model);
    }
    const metrics = await Metrics.create({
      queues: () =>
        [...models.values()].map(({ name, queue }) => ({
          model: name,
          waiting: queue.depth,
          running: queue.running,
        })),
      lost: () =>
        [...models.values()].map(({ name, deployment }) => ({
          model: name,
          devices: deployment.lost.length,
        })),
    });
    const shown = options.dashboard === false ? undefined : options.samples;
    const picks = await samplesOf(opened, shown, journal);
    const dashboard = dashboardOf(
      { ...options, picks },
      { models, hub, tokens: access.access, kept },
      started,
      journal,
    );
    const app = await createServer({
      ...{ models, metrics, audit, tokens: access.access, tls: access.tls, log: options.log },
      dashboard: dashboard && { ...dashboard, demo: demo?.addRoutes },
      bodyLimit: options.bodyLimit ?? DEFAULT_BODY,
      sendMs: options.sendSeconds && 1000 * options.sendSeconds,
    });
    started.add(() => app.close());
    const { host = '127.0.0.1', port = DEFAULT_PORT } = options;
    await listen(app.listen({ host, port }), host, port);
    await audit?.append({
      event: 'start',
      caller: 'operator',
      model: [...models.keys()].join(','),
      version: VERSION,
    });
    started.add(async () => await audit?.append({ event: 'stop', caller: 'operator' }));
    const { port: own } = app.server.address() as AddressInfo;
    const close = (): Promise<void> => started.close();
    const url = `${access.tls ? 'https' : 'http'}://${isIP(host) === 6 ? `[${host}]` : host}:${own}`;
    return {
      url,
      dashboard: dashboard && `${url}/`,
      models: [...models.keys()],
      token: access.token,
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await started.close();
    throw error;
  }
}

/** A journal whose notes and remarks are told to somebody else too. */
function noting(journal: Journal, tell: (text: string) => void): Journal {
  return {
    note: (text) => {
      tell(text);
      journal.note(text);
    },
    remark: (text) => {
      tell(text);
      journal.remark(text);
    },
    skip: (skipped) => journal.skip(skipped),
    signals: (signals) => journal.signals(signals),
    said: () => journal.said(),
    during: (task, work) => journal.during(task, work),
  };
}

/** What the dashboard shows, and the folder of its pages; undefined where it is not wanted, or was not built. */
function dashboardOf(
  {
    dashboard = true,
    insecure = false,
    bodyLimit = DEFAULT_BODY,
    picks,
  }: ServeOptions & { readonly picks: ReadonlyMap<string, PickedSamples> },
  {
    models,
    hub,
    tokens,
    kept,
  }: Pick<DashboardParts, 'models' | 'hub' | 'tokens'> & { readonly kept: OpenedAudit | undefined },
  started: Started,
  journal: Journal,
): (DashboardParts & { readonly pages: string }) | undefined {
  if (dashboard === false) return undefined;
  const pages = typeof dashboard === 'string' ? dashboard : builtPages();
  if (pages === undefined) {
    journal.note('there is no dashboard: its pages were not built (npm run build)');
    return undefined;
  }
  const outlook = new Outlook();
  started.add(() => outlook.close());
  const onPoint = (model: string, point: PolicyPoint): void => hub.publish('point', { model, point });
  const desks = new Map(
    [...models].map(([name, model]) => [name, new PolicyDesk(model, { outlook, audit: kept?.log, onPoint })]),
  );
  for (const desk of desks.values()) {
    desk.start();
    started.add(async () => desk.close());
  }
  const ward = new WardWatch(
    models,
    (type, data) => hub.publish(type, data),
    () => hub.pages > 0,
  );
  started.add(async () => ward.close());
  const history = new RequestHistory((row) => hub.publish('request', row));
  const explainers = new Map(
    [...models].map(([name, model]) => [name, new ExplainDesk(model, picks.get(name))]),
  );
  return {
    ...{ models, tokens, pages, hub, ward, history, outlook, desks, explainers, bodyLimit, log: kept?.log },
    sessions: new Sessions(),
    ownMachineOnly: tokens === undefined && !insecure,
    audit: kept,
  };
}

/** What has been started, closed in the opposite order. */
class Started {
  readonly #close: (() => Promise<unknown>)[] = [];
  #closing: Promise<void> | undefined;

  add(close: () => Promise<unknown>): void {
    this.#close.push(close);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const close of this.#close.reverse()) await close();
    })();
    return this.#closing;
  }
}

async function openAll(bundles: readonly (Bundle | string)[], journal: Journal): Promise<Bundle[]> {
  if (bundles.length === 0) throw new BedsideError('E_USAGE', 'there is no bundle to serve');
  const opened: Bundle[] = [];
  for (const source of bundles) {
    const bundle = await loadBundle(source, journal);
    const twin = opened.find(({ manifest }) => manifest.name === bundle.manifest.name);
    if (twin) {
      throw new BedsideError(
        'E_USAGE',
        `${twin.dir} and ${bundle.dir} are both named '${bundle.manifest.name}'`,
        {
          hint: 'pack one of them under another name: bedside pack --name',
        },
      );
    }
    opened.push(bundle);
  }
  return opened;
}

/** Samples to pick, by model. @throws BedsideError E_USAGE for a model that is not served; as `pickedSamples` */
async function samplesOf(
  bundles: readonly Bundle[],
  samples: ServeOptions['samples'],
  journal: Journal,
): Promise<ReadonlyMap<string, PickedSamples>> {
  const picks = new Map<string, PickedSamples>();
  if (samples === undefined) return picks;
  const names = bundles.map(({ manifest }) => manifest.name);
  const data =
    typeof samples === 'string' ? Object.fromEntries(names.map((name) => [name, samples])) : samples;
  for (const [name, path] of Object.entries(data)) {
    const bundle = bundles.find(({ manifest }) => manifest.name === name);
    if (!bundle) {
      throw new BedsideError('E_USAGE', `samples for '${name}', which is not served`, {
        hint: `served: ${names.join(', ')}`,
      });
    }
    picks.set(name, await pickedSamples(bundle, path, journal));
  }
  return picks;
}

async function poolOf(bundle: Bundle, options: ServeOptions, journal: Journal): Promise<WorkerPool> {
  const { fabric, credentials, workers } = options;
  const fleet = options.fleet === undefined ? undefined : await fleetFrom(options.fleet);
  if (options.pool) return options.pool(bundle);
  if (fabric === undefined) return LocalPool.of(bundle, { workers, fleet, reviveAfter: REVIVE_SECONDS });
  if (workers !== undefined) {
    throw new BedsideError('E_USAGE', `the number of workers has no meaning on ${fabric}`, {
      hint: 'its workers run already; name some of them by a fleet',
    });
  }
  return await NatsPool.join(bundle, { fabric, credentials, fleet }, journal);
}

async function listen(listening: Promise<unknown>, host: string, port: number): Promise<void> {
  try {
    await listening;
  } catch (cause) {
    throw new BedsideError('E_FABRIC', `cannot listen on ${host}, port ${port}: ${messageOf(cause)}`, {
      hint: 'choose another port, or 0 for a free one',
      cause,
    });
  }
}
