// `bedside evaluate`: accuracy, recall of each class and time of a model on labelled samples.
import type { Command } from 'commander';
import { evaluate } from '../../prune/index.ts';
import { formatCount, formatPercent, formatSeconds } from '../../util/index.ts';
import { addClassMix, type ClassMixOptions, inMix, sayMix, sharesOf } from '../class-mix.ts';
import { examples } from '../command-line.ts';
import { loadClassifier, loadData } from '../load.ts';
import {
  addCommon,
  addData,
  addRun,
  type CommonOptions,
  type DataOptions,
  type RunOptions,
} from '../options.ts';
import { Output } from '../output.ts';
import { indent, table } from '../tables.ts';

/** Adds the command to the program. */
export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .summary('accuracy and speed of a model on labelled samples')
    .description(
      'Runs a model on labelled samples: accuracy, recall of each class, balanced accuracy (mean recall over the ' +
        'classes that occur), and the mean time of inference alone after a warm-up.',
    )
    .argument('<model>', 'an ONNX file');
  addData(command, { split: 'default test', perClass: 'at most this many samples of each class' });
  addClassMix(command, 'accuracy is for this mix');
  addCommon(addRun(command))
    .addHelpText(
      'after',
      examples(
        ['bedside evaluate model.onnx --data scans/', 'all of scans/test'],
        ['bedside evaluate model.onnx --data mitdb/ --records 100,106', 'two patients'],
        ['bedside evaluate model.onnx --data x.npz --threads 1 --json', 'for programs'],
      ),
    )
    .action(async (path: string, options: CommonOptions & RunOptions & DataOptions & ClassMixOptions) => {
      const output = new Output(options);
      const { model, classifier, costs } = await loadClassifier(path);
      const loaded = await loadData(classifier, options, { split: 'test', seed: options.seed }, output);
      const shares = options.classMix && sharesOf(options.classMix, loaded.classNames);
      const dataset = shares ? inMix(loaded, shares) : loaded;
      const {
        predictions: _,
        logits: __,
        ...found
      } = await output.during('evaluating', (progress) =>
        evaluate(model, dataset, {
          name: path,
          batch: options.batch,
          threads: options.threads,
          mix: shares,
          onProgress: (done, total) => progress.update(done, total),
        }),
      );
      output.result({
        ...found,
        macs: costs.macs,
        classNames: dataset.classNames,
        ...(shares ? { classMix: Array.from(shares) } : {}),
      });
      const counts = new Map<number, number>();
      for (const label of dataset.labels ?? []) counts.set(label, (counts.get(label) ?? 0) + 1);
      output.say(
        [
          `accuracy           ${formatPercent(found.accuracy)} of ${found.n} samples${shares ? `, for ${sayMix(shares, dataset.classNames)}` : ''}`,
          `balanced accuracy  ${formatPercent(found.balancedAccuracy)}`,
          `time               ${formatSeconds(found.msPerSample / 1000)} a sample, ` +
            `${options.threads} thread${options.threads === 1 ? '' : 's'}, batches of ${classifier.fixedBatch ?? options.batch}`,
          `cost               ${formatCount(costs.macs)} MACs a sample`,
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
