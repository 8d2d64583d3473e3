// Live signals through a bundle: beats are found, each is a request to a fleet or a gateway, and answers come in order.
import type { Bundle } from '../../bundle/index.ts';
import { DEFAULT_RATE, type SignalTarget, signalTarget } from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { QRS_RATES, RHYTHM_DEFAULTS } from '../../signal/index.ts';
import { BedsideError, hasClasses } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import type { BundleSource } from '../bundle-levels.ts';
import { answerForm } from '../explain/answers.ts';
import { classifierOf, loadBundle } from '../open-bundle.ts';
import { fleetFrom } from '../plan/fleet-source.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import { Deployment } from '../run/deployment.ts';
import { assertRunnable } from '../run/deployment-options.ts';
import { LocalPool } from '../run/local-pool.ts';
import { NatsPool } from '../run/nats-pool.ts';
import type { WorkerPool } from '../run/pool.ts';
import { type Answerer, deployedAnswerer } from './answerer.ts';
import type { BeatInput } from './beat-cutter.ts';
import type { StreamResult } from './events.ts';
import { gatewayAnswerer } from './gateway-answerer.ts';
import { openSources } from './open-sources.ts';
import type { StreamOptions } from './options.ts';
import type { StreamSource } from './sources/source.ts';
import { StreamWard } from './stream-ward.ts';

/**
 * Reads live or replayed signals, finds their beats, and has each answered by a bundle's network, in process or by a gateway.
 * @param bundle an opened one, or its folder: its contract says how windows are cut
 * @throws BedsideError E_USAGE for sources or options that are none, or contradict each other; E_UNSUPPORTED for a network that
 *   does not answer with classes, or does not read beats; E_FILE, E_DATA, E_FABRIC for a source that cannot be opened; as
 *   `Deployment.start` and `gatewayAnswerer`
 */
export async function stream(
  bundle: BundleSource,
  options: StreamOptions,
  reporter?: Reporter | Journal,
): Promise<StreamResult> {
  const journal = journalOf(reporter);
  const opened = await loadBundle(bundle, journal);
  const { target } = beatInput(opened, classifierOf(opened));
  const sources = await openSources(options, target);
  return await answering(opened, options, journal, (answerer) =>
    streamThrough({ bundle: opened, sources, answerer }, options, journal),
  );
}

/** What a stream goes through. */
export interface StreamParts {
  readonly bundle: Bundle;
  readonly sources: readonly StreamSource[];
  readonly answerer: Answerer;
}

/**
 * Runs sources to their end, with whoever answers.
 * @throws BedsideError E_USAGE for classes that are none; as `beatInput`; of a source that fails
 */
export async function streamThrough(
  { bundle, sources, answerer }: StreamParts,
  options: StreamOptions,
  journal: Journal,
): Promise<StreamResult> {
  const { speed = 1, signal = new AbortController().signal, onEvent = () => {} } = options;
  const classifier = classifierOf(bundle);
  const input = beatInput(bundle, classifier);
  const names =
    answerForm(bundle).classNames ?? Array.from({ length: classifier.classes }, (_, i) => String(i));
  assertVentricular(
    options.ventricular ?? RHYTHM_DEFAULTS.ventricular,
    names,
    options.ventricular !== undefined,
    journal,
  );
  const parts = { answerer, classifier, classNames: names, input, options: { ...options, speed }, onEvent };
  const ward = new StreamWard(parts, journal);
  const started = new Date().toISOString();
  const finished = await ward.run(sources, signal);
  return {
    bundle: bundle.dir,
    ...ward.figures(),
    ...{ beds: ward.beds(), finished, startedAt: started, speed },
    ...journal.said(),
  };
}

/**
 * How a bundle's network reads beats.
 * @throws BedsideError E_UNSUPPORTED for tasks without one answer a window, or windows that are not around beats; as `signalTarget`
 */
export function beatInput({ dir, manifest }: Bundle, classifier: Classifier): BeatInput {
  const { task, contract, samplingRate, sampleShape } = classifier;
  if (!hasClasses(task) && task !== 'binary') {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `the network of ${dir} is for ${task}: a beat has no one answer`,
      {
        hint: 'stream a network that classifies beats',
      },
    );
  }
  const target: SignalTarget = signalTarget(sampleShape, contract?.signal, dir);
  if (contract?.signal?.window?.around === 'segment') {
    throw new BedsideError('E_UNSUPPORTED', `the network of ${dir} reads stretches of signal, not beats`, {
      hint: 'its contract says signal.window.around: segment; stream a network of beats',
    });
  }
  if (contract?.signal?.units === 'steps') {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `the network of ${dir} reads steps of a converter, which live signals do not say`,
      {
        hint: 'stream a network that reads millivolts (signal.units of its contract)',
      },
    );
  }
  const rate = contract?.signal?.samplingRate ?? samplingRate ?? DEFAULT_RATE;
  if (rate < QRS_RATES.least || rate > QRS_RATES.most) {
    throw new BedsideError('E_UNSUPPORTED', `the network of ${dir} reads ${rate} samples a second`, {
      hint: `beats are streamed at ${QRS_RATES.least} to ${QRS_RATES.most}`,
    });
  }
  return { target, rate, shape: manifest.model.input.shape };
}

/** Runs are counted of classes that there are. @throws BedsideError E_USAGE for one that was named and is not there */
function assertVentricular(
  wanted: readonly string[],
  names: readonly string[],
  isGiven: boolean,
  journal: Journal,
): void {
  const other = wanted.find((name) => !names.includes(name));
  if (other === undefined) return;
  const classes = `the network's classes are ${names.join(', ')}`;
  if (isGiven)
    throw new BedsideError('E_USAGE', `there is no class ${other} that could be ventricular`, {
      hint: classes,
    });
  journal.remark(
    `no couplets and runs are counted: no class is called ${other} (${classes}); --ventricular names them`,
  );
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
