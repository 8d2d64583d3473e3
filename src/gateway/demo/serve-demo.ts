// The demo as a service: the gateway on the demo's devices, monitors that ask it, and things that go wrong.
import type { Reporter } from '../../app/index.ts';
import { journalOf } from '../../app/index.ts';
import { openBundle } from '../../bundle/index.ts';
import type { Fleet } from '../../plan/index.ts';
import type { NatsAccess } from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';
import { addDemoRoutes } from '../dashboard/demo-routes.ts';
import { DEFAULT_PORT, type Gateway, startGateway } from '../serve.ts';
import { DemoWard } from './demo-ward.ts';
import { type MonitorCounts, type MonitorSamples, startMonitors } from './simulated-monitors.ts';
import { runScript } from './ward-script.ts';

/** What the demo serves, and where. */
export interface ServeDemoOptions {
  /** Folder of the bundle. */
  readonly bundle: string;
  /** Devices to emulate. */
  readonly fleet: Fleet;
  /** The server that connects the devices; local sockets if absent. */
  readonly nats?: NatsAccess | undefined;
  /** Rows as the network reads them, which the monitors send. */
  readonly samples: MonitorSamples;
  /** Answers that are less sure run again unpruned. */
  readonly fallbackMargin?: number | undefined;
  /** As of `serve`: whether there are pages, or the folder of their files. */
  readonly dashboard?: boolean | string | undefined;
  /** Default 8500, or a free one where that is taken. */
  readonly port?: number | undefined;
  /** Hears what happens to the ward. */
  readonly onEvent?: ((text: string) => void) | undefined;
}

/** Monitors that send requests. */
export const MONITORS = 4;

/** A running demo. `close` ends the monitors, then the gateway and its devices. */
export interface ServedDemo extends AsyncDisposable {
  readonly url: string;
  /** Undefined where the pages were not built. */
  readonly dashboard: string | undefined;
  /** How requests of the monitors ended so far. */
  readonly counts: MonitorCounts;
  close(): Promise<void>;
}

/**
 * Serves a bundle on emulated devices, on this machine only, with a ward that asks and a script of faults. Its gateway
 * has paths that no other has: `/api/demo` kills a device, starts it again, and throttles a link.
 * @throws BedsideError as `serve`
 */
export async function serveDemo(options: ServeDemoOptions, reporter?: Reporter): Promise<ServedDemo> {
  const { fleet, nats, fallbackMargin, dashboard, onEvent = () => {} } = options;
  const journal = journalOf(reporter);
  const bundle = await openBundle(options.bundle);
  const start = async (port: number): Promise<{ gateway: Gateway; ward: DemoWard }> => {
    const ward = new DemoWard(bundle, fleet, nats, onEvent);
    const gateway = await startGateway(
      [bundle],
      { port, fallbackMargin, dashboard, privacy: 'late', measure: true, pool: () => ward.pool },
      journal,
      {
        addRoutes: (app, parts) => addDemoRoutes(app, parts, ward),
        onModel: ({ deployment }) => ward.attach(deployment),
      },
    );
    return { gateway, ward };
  };
  const { gateway, ward } = await start(options.port ?? DEFAULT_PORT).catch((error: unknown) => {
    // Another gateway may be there already.
    if (options.port === undefined && BedsideError.is(error, 'E_FABRIC') && isTaken(error)) return start(0);
    throw error;
  });
  const control = new AbortController();
  const script = runScript(ward, control.signal);
  const model = gateway.models[0] ?? '';
  const monitors = await startMonitors(
    { url: gateway.url, model },
    options.samples,
    MONITORS,
    control.signal,
  );
  const close = async (): Promise<void> => {
    control.abort();
    await Promise.all([script, monitors.ended]);
    await gateway.close();
  };
  return {
    ...{ url: gateway.url, dashboard: gateway.dashboard, counts: monitors.counts },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function isTaken({ cause }: BedsideError): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
}
