// `bedside evaluate`: accuracy, recall of each class and time of a model on labelled samples.
import type { Command } from 'commander';
import {
  type ClassPriorOptions,
  type DataOptions,
  describePrior,
  type EngineOptions,
  isBundle,
  type LevelOptions,
  levelFields,
  loadBundle,
  loadNetwork,
  loadSamples,
  networkAtLevels,
  priorShares,
  samplesInPrior,
} from '../../../app/index.ts';
import { type Classifier, describeClassifier, evaluate } from '../../../evaluate/index.ts';
import { type Model, modelCosts, type Uncounted } from '../../../onnx/index.ts';
import { describeUncounted } from '../../../report/index.ts';
import { formatCount, formatPercent, formatSeconds, plainLine } from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { addClassPrior } from '../../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addLevels, assertNoLevels, describeLevels as sayLevels } from '../../options/levels.ts';
import { ratio } from '../../options/numbers.ts';
import { Output } from '../../terminal/output.ts';
import { indent, table } from '../../terminal/tables.ts';

interface EvaluateCommandOptions
  extends CommonOptions,
    EngineOptions,
    DataOptions,
    ClassPriorOptions,
    LevelOptions {}

/** Adds the command to the program. */
export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .summary('accuracy and speed of a model, or of a bundle at chosen levels, on labelled samples')
    .description(
      'Runs a model on labelled samples: accuracy, recall of each class, balanced accuracy (mean recall over the ' +
        'classes that occur), and the mean time of inference alone after a warm-up. Of a bundle, the network is put ' +
        'together at the levels asked for (unpruned unless said), from its repaired weights; levels that the bundle ' +
        'has measured are corrected as they were then.',
    )
    .argument('<model>', 'an ONNX file, or a bundle: a folder written by bedside pack')
    .option(
      '--ratio <r>',
      'of a bundle: every group at the level nearest to this fraction of channels removed',
      ratio,
    );
  addLevels(command);
  addData(command, { split: 'default test', perClass: 'at most this many samples of each class' });
  addClassPrior(command, 'accuracy is for this mix');
  addCommon(addRun(command))
    .addHelpText(
      'after',
      examples(
        ['bedside evaluate model.onnx --data scans/', 'all of scans/test'],
        ['bedside evaluate model.onnx --data mitdb/ --records 100,106', 'two patients'],
        ['bedside evaluate model.onnx --data x.npz --threads 1 --json', 'for programs'],
        ['bedside evaluate ecg/ --data mitdb/ --ratio .5', 'a bundle, half of every group'],
        ['bedside evaluate ecg/ --data mitdb/ --levels 0,3,3,1', 'each group at a level of its own'],
      ),
    )
    .action(async (path: string, options: EvaluateCommandOptions) => {
      const output = new Output(options);
      const { model, classifier, macs, uncounted, facts, words } = await subjectOf(path, options, output);
      const loaded = await loadSamples(classifier, options, { split: 'test', seed: options.seed }, output);
      const shares = options.classPrior && priorShares(options.classPrior, loaded.classNames);
      const dataset = shares ? samplesInPrior(loaded, shares) : loaded;
      const {
        predictions: _,
        logits: __,
        ...found
      } = await output.during('evaluating', (progress) =>
        evaluate(model, dataset, {
          name: path,
          batch: options.batch,
          threads: options.threads,
          classPrior: shares,
          onProgress: (done, total) => progress.update(done, total),
        }),
      );
      output.result({
        ...found,
        macs,
        uncounted,
        ...facts,
        classNames: dataset.classNames,
        ...(shares ? { classMix: Array.from(shares) } : {}),
      });
      const counts = new Map<number, number>();
      for (const label of dataset.labels ?? []) counts.set(label, (counts.get(label) ?? 0) + 1);
      output.say(
        [
          ...words,
          `accuracy           ${formatPercent(found.accuracy)} of ${found.n} samples${shares ? `, for ${describePrior(shares, dataset.classNames)}` : ''}`,
          `balanced accuracy  ${formatPercent(found.balancedAccuracy)}`,
          `time               ${formatSeconds(found.msPerSample / 1000)} a sample, ` +
            `${options.threads} thread${options.threads === 1 ? '' : 's'}, batches of ${classifier.fixedBatch ?? options.batch}`,
          `cost               ${formatCount(macs)} MACs a sample`,
          ...describeUncounted(uncounted),
          '',
          indent(
            table(
              ['>class', 'name', '>samples', '>recall'],
              found.recall.map((recall, label) => [
                String(label),
                dataset.classNames[label] ?? '',
                String(counts.get(label) ?? 0),
                Number.isNaN(recall) ? '-' : formatPercent(recall),
              ]),
            ),
          ),
        ].join('\n'),
      );
    });
}

/** What is evaluated, and what is said of it beside the measurements. */
interface Subject {
  readonly model: Model;
  readonly classifier: Classifier;
  readonly macs: number;
  readonly uncounted: readonly Uncounted[];
  readonly facts: object;
  readonly words: readonly string[];
}

async function subjectOf(path: string, options: EvaluateCommandOptions, output: Output): Promise<Subject> {
  if (!(await isBundle(path))) {
    assertNoLevels(path, options);
    const { original: model, classifier, costs } = await loadNetwork(path, options);
    const { macs, uncounted } = costs;
    return { model, classifier, macs, uncounted, facts: {}, words: [] };
  }
  const bundle = await loadBundle(path, output);
  const mix = networkAtLevels(bundle, options);
  const { macs, parameters, uncounted } = modelCosts(mix.model);
  return {
    model: mix.model,
    classifier: describeClassifier(mix.model, path),
    macs,
    uncounted,
    facts: { bundle: bundle.sha256, name: bundle.manifest.name, ...levelFields(mix), parameters },
    words: [plainLine(`${bundle.manifest.name}: ${sayLevels(mix)}`), ''],
  };
}
