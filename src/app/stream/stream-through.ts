// Signals that are read to their end: beats are found, each is answered, and answers come in order.
import type { Bundle } from '../../bundle/index.ts';
import { DEFAULT_RATE, type SignalTarget, signalTarget } from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { QRS_RATES, RHYTHM_DEFAULTS } from '../../signal/index.ts';
import { BedsideError, hasClasses } from '../../util/index.ts';
import { classifierOf } from '../bundle/open-bundle.ts';
import { answerForm } from '../explain/answers.ts';
import type { Journal } from '../reporter.ts';
import type { Answerer } from './answerer.ts';
import type { BeatInput } from './beat-cutter.ts';
import type { StreamResult } from './events.ts';
import type { StreamOptions } from './options.ts';
import type { StreamSource } from './sources/source.ts';
import { StreamWard } from './stream-ward.ts';

/** A bundle's network, as streams use it. */
export interface BeatNetwork {
  readonly bundle: Bundle;
  readonly classifier: Classifier;
  readonly input: BeatInput;
  readonly classNames: readonly string[];
}

/** What a stream goes through. */
export interface StreamParts {
  readonly network: BeatNetwork;
  readonly sources: readonly StreamSource[];
  readonly answerer: Answerer;
}

/** @throws BedsideError E_UNSUPPORTED for a network that does not answer with classes, or does not read beats */
export function beatNetwork(bundle: Bundle): BeatNetwork {
  const classifier = classifierOf(bundle);
  const numbers = Array.from({ length: classifier.classes }, (_, i) => String(i));
  return {
    bundle,
    classifier,
    input: beatInput(bundle, classifier),
    classNames: answerForm(bundle).classNames ?? numbers,
  };
}

/**
 * Runs sources to their end, with whoever answers.
 * @throws BedsideError E_USAGE for classes that are none; of a source that fails
 */
export async function streamThrough(
  { network, sources, answerer }: StreamParts,
  options: StreamOptions,
  journal: Journal,
): Promise<StreamResult> {
  const { speed = 1, signal = new AbortController().signal, onEvent = () => {} } = options;
  const { bundle, classifier, input, classNames } = network;
  assertVentricular(
    options.ventricular ?? RHYTHM_DEFAULTS.ventricular,
    classNames,
    options.ventricular !== undefined,
    journal,
  );
  const parts = { answerer, classifier, classNames, input, options: { ...options, speed }, onEvent };
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
function beatInput({ dir, manifest }: Bundle, classifier: Classifier): BeatInput {
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
