// Writes a first contract for a model: what its file says, what its data look like, and of common ways to prepare
// samples the one that measures best. Somebody has to look at it: every field says what it rests on.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { InputContract } from '../../data/index.ts';
import { type DataFacts, dataFacts } from '../../data/internal.ts';
import { type Classifier, evaluateModel } from '../../evaluate/internal.ts';
import {
  assertWritable,
  BedsideError,
  formatPercent,
  MEASURE_WORDS,
  writeFileAtomic,
} from '../../util/index.ts';
import type { ContractOptions } from '../network/contract.ts';
import { type Network, networkOf } from '../network/network.ts';
import { networkForData } from '../network/task.ts';
import type { DataOptions, EngineOptions } from '../options.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { loadSamples } from '../samples/samples.ts';
import { imageQuestions, type Question, signalQuestions } from './candidates.ts';
import { type Guess, type GuessedField, guessClasses, guessImage, guessSignal, joined } from './guesses.ts';

/** Options of `init`: the samples that ways to prepare them are compared on (by default of the local split). */
export interface InitOptions extends Omit<DataOptions, 'data' | 'contract'>, EngineOptions {
  readonly data: string;
  /** The file to write; default `NAME.json` beside `NAME.onnx`. */
  readonly out?: string | undefined;
  /** Replace a file that is there. */
  readonly force?: boolean | undefined;
  readonly seed?: number | undefined;
}

/** The result of `init`. */
export interface InitResult extends Said {
  readonly out: string;
  readonly contract: InputContract;
  readonly fields: readonly GuessedField[];
}

/** Samples of each class that ways to prepare them are compared on. */
const PER_CLASS = 12;
/** A way that is better by less than this is as likely luck. */
const CLEARLY = 0.05;

/**
 * Writes a first model.json.
 * @throws BedsideError E_OUTPUT for a file that is there already, unless `force`; as `networkOf` and `openDataset`
 */
export async function init(
  model: string,
  options: InitOptions,
  reporter?: Reporter | Journal,
): Promise<InitResult> {
  const journal = journalOf(reporter);
  const { force = false } = options;
  const out = options.out ?? join(dirname(model), `${basename(model).replace(/\.[^.]*$/, '')}.json`);
  if (existsSync(out) && !force) {
    throw new BedsideError('E_OUTPUT', `${out} is there already`, {
      hint: 'write another file with --out, or replace it with --force',
    });
  }
  await assertWritable(out);
  const facts = await dataFacts(options.data);
  // A contract that is there is not read: this one takes its place.
  const network = await networkForData(model, options.data, { ...options, contract: {} }, journal);
  const base = firstGuess(network, facts, options);
  const measured = await compared(network, base, { facts, options, journal });
  const written = { $schema: SCHEMA, ...measured.contract };
  await writeFileAtomic(out, `${JSON.stringify(written, null, 2)}\n`);
  return { out, contract: measured.contract, fields: measured.fields, ...journal.said() };
}

/** Where a project that installs the package has the format. */
const SCHEMA = './node_modules/bedside/docs/model.schema.json';

function firstGuess({ classifier, original }: Network, facts: DataFacts, options: InitOptions): Guess {
  const { output, task } = classifier;
  const inputs = inputNames(classifier);
  const names: Guess = {
    contract: { inputs, output, task },
    fields: [
      { field: 'inputs', value: inputs, sure: 'known', why: "the model's own" },
      {
        field: 'output',
        value: output,
        sure: original.graph.outputs.length === 1 || options.output ? 'known' : 'guess',
        why: original.graph.outputs.length === 1 ? "the model's only one" : 'the first of several',
      },
      {
        field: 'task',
        value: task,
        sure: options.task ? 'known' : 'guess',
        why: options.task ? 'it was said' : 'by the shape of the output and the labels',
      },
    ],
  };
  const said: Guess = options.classMap
    ? {
        contract: { classMap: options.classMap, classes: options.labels },
        fields: [{ field: 'classMap', value: options.classMap, sure: 'known', why: 'it was said' }],
      }
    : guessClasses(classifier, facts);
  const isClasses = task === 'single-label' || task === 'binary' || task === 'multi-label';
  const guesses = [names, ...(isClasses ? [said] : [])];
  if (classifier.inputs) return joined(...guesses);
  if (facts.leads !== undefined) {
    const rate = options.samplingRate ?? classifier.samplingRate;
    return joined(...guesses, guessSignal(classifier.sampleShape, facts, rate));
  }
  if (isImage(classifier, facts)) guesses.push(guessImage(classifier.sampleShape, facts));
  return joined(...guesses);
}

function inputNames({ input, inputs }: Classifier): readonly string[] {
  return inputs?.map(({ name }) => name) ?? [input];
}

/** Whether a network reads images: a shape of an image, and images or whole numbers in the data. */
function isImage({ sampleShape }: Classifier, { kind, array }: DataFacts): boolean {
  const [a = 0, b = 0, c = 0] = sampleShape;
  const isCount = (axis: number): boolean => axis === 1 || axis === 3;
  const shaped =
    sampleShape.length === 3 && ((isCount(a) && b > 1 && c > 1) || (isCount(c) && a > 1 && b > 1));
  return shaped && (kind === 'images' || array !== undefined);
}

interface Context {
  readonly facts: DataFacts;
  readonly options: InitOptions;
  readonly journal: Journal;
}

/** The best of the ways that are commonly used, where samples have labels to tell. */
async function compared(network: Network, base: Guess, context: Context): Promise<Guess> {
  const { facts } = context;
  const { sampleShape } = network.classifier;
  const { image, signal } = base.contract;
  const channels = image?.layout === 'NHWC' ? (sampleShape.at(-1) ?? 1) : (sampleShape[0] ?? 1);
  const window = signal?.window?.around === 'beat' ? signal.window : undefined;
  const questions = image
    ? imageQuestions(base.contract, channels, facts)
    : window
      ? signalQuestions(
          base.contract,
          window.before + (window.after ?? 0),
          base.fields.some(({ field, sure }) => field === 'signal.samplingRate' && sure === 'known'),
        )
      : [];
  let best = base;
  for (const question of questions) best = await answered(network, best, question(best.contract), context);
  return best;
}

/** The guess with the best answer to a question. */
async function answered(
  network: Network,
  guess: Guess,
  question: Question,
  context: Context,
): Promise<Guess> {
  const { journal } = context;
  const rows: { readonly name: string; readonly contract: InputContract; readonly figure: number }[] = [];
  for (const { name, contract } of question.candidates) {
    const figure = await measure(network, contract, context).catch((error: unknown) => {
      if (!BedsideError.is(error)) throw error;
      journal.remark(`${name} could not be measured: ${error.message}`);
      return undefined;
    });
    if (figure !== undefined) rows.push({ name, contract, figure });
  }
  const [first, second] = [...rows].sort((a, b) => b.figure - a.figure);
  if (!first || !second) return guess;
  const word = wordOf(network.classifier);
  const told = rows.map(({ name, figure }) => `${name} ${formatPercent(figure)}`).join(', ');
  const isClear = first.figure - second.figure >= CLEARLY;
  // Where nothing is clearly better, the usual way stays.
  const chosen = isClear || first.figure > (rows[0]?.figure ?? 0) + CLEARLY ? first : (rows[0] ?? first);
  const sure = isClear ? 'measured' : 'guess';
  const why = `${word} of a few samples: ${told}${isClear ? '' : '; not clearly different'}`;
  const others = guess.fields.filter(({ field }) => !question.fields.includes(field));
  const fields = question.fields.flatMap((field): GuessedField[] => {
    const value = valueAt(chosen.contract, field);
    return value === undefined ? [] : [{ field, value, sure, why }];
  });
  const none: GuessedField[] =
    fields.length > 0 ? [] : [{ field: question.fields[0] ?? '', value: null, sure, why }];
  return { contract: chosen.contract, fields: [...others, ...fields, ...none] };
}

function valueAt(contract: InputContract, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], contract);
}

function wordOf({ task }: Classifier): string {
  return task === 'single-label' || task === 'binary' ? MEASURE_WORDS.balancedAccuracy : 'the main measure';
}

/** The measure of a network on a few samples that are prepared by a contract. */
async function measure(
  network: Network,
  contract: InputContract,
  context: Context,
): Promise<number | undefined> {
  const { options, journal } = context;
  const { seed = 1, threads = 1, batch = 32 } = options;
  const { classifier, original, name } = await networkOf(network, { contract } satisfies ContractOptions);
  const quiet = journalOf();
  const dataset = await journal.during('comparing ways to prepare samples', () =>
    loadSamples(
      classifier,
      { ...options, labels: undefined, classMap: undefined, samplingRate: undefined },
      { split: 'local', seed, perClass: PER_CLASS },
      quiet,
    ),
  );
  if (!dataset.labels && !dataset.targets) return undefined;
  const { measures } = await evaluateModel(original, dataset, { name, batch, threads });
  const { balancedAccuracy } = measures as { readonly balancedAccuracy?: number };
  return balancedAccuracy ?? Object.values(measures)[0];
}
