// `bedside quantize`: a model with eight-bit integers, without retraining, written and measured.
import type { Command } from 'commander';
import { DEFAULT_PER_CLASS } from '../../../app/options.ts';
import { type QuantizeNetworkOptions, quantize } from '../../../app/quantize/quantize.ts';
import { examples } from '../../command-line.ts';
import { addClassPrior } from '../../options/class-prior.ts';
import { addCommon, addRun, type CommonOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addInt8 } from '../../options/int8.ts';
import { addOutput } from '../../options/network.ts';
import { count } from '../../options/numbers.ts';
import { Output } from '../../terminal/output.ts';
import { quantizedJson } from './json.ts';
import { describeQuantized } from './text.ts';

interface QuantizeCommandOptions extends Omit<QuantizeNetworkOptions, 'seed' | 'out'>, CommonOptions {
  readonly out: string;
}

/** Adds the command to the program. */
export function addQuantize(program: Command): void {
  const command = program
    .command('quantize')
    .summary('write a model with eight-bit integers, without retraining, and measure it')
    .description(
      'Writes a model whose convolutions and dense layers compute with eight-bit integers: a quarter of the bytes, and ' +
        'faster where the processor has integer instructions. Weights have a scale for each output channel, activations ' +
        'one for each value. Ranges come from samples of the local split (labels are not used): each is chosen among ' +
        'min-max, percentile, least squares and entropy by what comes nearest to the float32 network on samples held out. ' +
        'Layers are refit, in execution order, to what they read in eight bits, and their biases make up for the mean ' +
        'error. Layers that lose too much stay in float32, as do recurrent layers, attention products and ' +
        'normalisations; the result names them. Both models are measured on the test split, in time too. The file is ' +
        'plain ONNX (QuantizeLinear, DequantizeLinear). See docs/quantize.md.',
    )
    .argument('<model>', 'an ONNX file')
    .requiredOption('--out <file>', 'the ONNX file to write')
    .option('--no-repair', 'do not refit weights before they are rounded')
    .option(
      '--max-positions <n>',
      'the most positions that a layer is fitted on, over all samples; bounds memory; default 4096',
      count(),
    )
    .option('--no-speed', 'do not time both models; speedups and times are then null')
    .option('--test-limit <n>', 'measure on at most this many samples; default all', count());
  addInt8(command);
  addClassPrior(command, 'accuracy is for it');
  addData(command, {
    split: 'samples that calibrate; default local',
    perClass: `calibrate on at most this many samples of each class; default ${DEFAULT_PER_CLASS}`,
  });
  addCommon(addRun(addOutput(command)))
    .addHelpText(
      'after',
      examples(
        ['bedside quantize model.onnx --data scans/ --out int8.onnx', 'everything by default'],
        [
          'bedside quantize model.onnx --data mitdb/ --keep-float first,last --out int8.onnx',
          'the two ends in float32',
        ],
        ['bedside quantize model.onnx --data x.npz --threads 1 --out int8.onnx --json', 'for programs'],
        ['bedside prune model.onnx --data scans/ --macs 0.25 --int8 --out small.onnx', 'pruned as well'],
      ),
    )
    .action(async (path: string, options: QuantizeCommandOptions) => {
      const output = new Output(options);
      const result = await quantize(path, options, output);
      output.result(quantizedJson(result));
      output.print(describeQuantized(result));
    });
}
