// Live signals through a bundle: beats are found, each is a request to a fleet or a gateway, and answers come in order.
import type { Bundle } from '../../bundle/index.ts';
import { BedsideError } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import type { BundleSource } from '../bundle/bundle-levels.ts';
import { loadBundle } from '../bundle/open-bundle.ts';
import { fleetFrom } from '../plan/fleet-source.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import { Deployment } from '../run/deployment.ts';
import { assertRunnable } from '../run/deployment-options.ts';
import { LocalPool } from '../run/local-pool.ts';
import { NatsPool } from '../run/nats-pool.ts';
import type { WorkerPool } from '../run/pool.ts';
import { type Answerer, deployedAnswerer } from './answerer.ts';
import type { StreamResult } from './events.ts';
import { gatewayAnswerer } from './gateway-answerer.ts';
import { openSources } from './open-sources.ts';
import type { StreamOptions } from './options.ts';
import { assertTargets, withResults } from './results.ts';
import { beatNetwork, streamThrough } from './stream-through.ts';

/**
 * Reads live or replayed signals, finds their beats, and has each answered by a bundle's network, in process or by a gateway.
 * With `fhir` or `hl7`, what was found is given back too, once a period and signal: as FHIR to a folder or a server, as HL7 v2
 * to a receiver, or both. Results are on the disk when this returns; those that a server or receiver does not have yet are
 * delivered by the next run with the same queue.
 * @param bundle an opened one, or its folder: its contract says how windows are cut
 * @throws BedsideError E_USAGE for sources or options that are none, or contradict each other; E_UNSUPPORTED for a network that
 *   does not answer with classes, or does not read beats; E_FILE, E_DATA, E_FABRIC for a source that cannot be opened; as
 *   `Deployment.start`, `gatewayAnswerer` and `withResults`
 */
export async function stream(
  bundle: BundleSource,
  options: StreamOptions,
  reporter?: Reporter | Journal,
): Promise<StreamResult> {
  const journal = journalOf(reporter);
  const { fhir, hl7 } = options;
  assertTargets(options);
  const network = beatNetwork(await loadBundle(bundle, journal));
  const run = async (given: StreamOptions): Promise<StreamResult> => {
    const sources = await openSources(given, network.input.target);
    return await answering(network.bundle, given, journal, (answerer) =>
      streamThrough({ network, sources, answerer }, given, journal),
    );
  };
  return fhir || hl7 ? await withResults(network, options, journal, run) : await run(options);
}

/** Runs `work` with whoever answers, which ends with it. */
async function answering<T>(
  bundle: Bundle,
  options: StreamOptions,
  journal: Journal,
  work: (answerer: Answerer) => Promise<T>,
): Promise<T> {
  const { gateway, signal } = options;
  if (gateway !== undefined) {
    const { pool, fleet, workers, fabric } = options;
    const other = Object.entries({ pool, fleet, workers, fabric }).find(([, value]) => value !== undefined);
    if (other) {
      throw new BedsideError(
        'E_USAGE',
        `\`${other[0]}\` has no meaning beside a gateway, which has workers of its own`,
        {
          hint: 'give either a gateway or workers',
        },
      );
    }
    const access = { ...options, gateway, token: await tokenOf(options) };
    await using answerer = await gatewayAnswerer(bundle, access);
    return await work(answerer);
  }
  assertRunnable(bundle, options);
  const own = options.pool ? undefined : await poolOf(bundle, options, journal);
  try {
    const pool = options.pool ?? own;
    if (!pool) throw new BedsideError('E_INTERNAL', 'no pool');
    await using deployment = new Deployment(pool, options, journal);
    await deployment.check();
    await deployment.connect();
    await deployment.prepare(signal);
    journal.note(`${deployment.fleet.devices.length} workers are ready`);
    return await work(deployedAnswerer(deployment));
  } finally {
    await own?.close();
  }
}

/** @throws BedsideError E_FILE, E_USAGE for a file that holds no token */
async function tokenOf({ token, tokenFile }: StreamOptions): Promise<string | undefined> {
  if (tokenFile === undefined) return token;
  const text = (await readTextChecked(tokenFile, 'token')).trim();
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new BedsideError('E_USAGE', `${tokenFile} does not hold a token`, {
    hint: 'one line, as bedside serve showed it',
  });
}

async function poolOf(bundle: Bundle, options: StreamOptions, journal: Journal): Promise<WorkerPool> {
  const { fabric, credentials } = options;
  const fleet = options.fleet === undefined ? undefined : await fleetFrom(options.fleet);
  if (fabric !== undefined || credentials !== undefined)
    return await NatsPool.join(bundle, { ...options, fleet }, journal);
  const { workers, reviveAfter } = options;
  return LocalPool.of(bundle, { fleet, reviveAfter, workers });
}
