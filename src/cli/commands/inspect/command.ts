// `bedside inspect`: what a model is made of, which channels can go, and what it costs; what a bundle holds.
import type { Command } from 'commander';
import { isBundle } from '../../../app/bundle/bundle-levels.ts';
import { writeModelCard } from '../../../app/bundle/model-card.ts';
import { type InspectOptions, inspect, inspectBundle } from '../../../app/inspect/inspect.ts';
import { BedsideError } from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { addContract } from '../../options/contract.ts';
import { addOutput } from '../../options/network.ts';
import { Output } from '../../terminal/output.ts';
import { describeBundle } from './bundle-text.ts';
import { describeInspected } from './text.ts';

interface CardOptions {
  readonly card?: boolean;
  readonly out?: string;
}

/** Adds the command to the program. */
export function addInspect(program: Command): void {
  addContract(addOutput(addCommon(program.command('inspect'), false)))
    .summary('layers, groups of channels, stages and costs of a model; the contents of a bundle')
    .description(
      'Shows the layers, groups of channels, stages and costs of a model. A group is a set of channels that can only be ' +
        'pruned together, because of residual sums, depthwise convolutions or concatenations. Frozen channels must stay; ' +
        'the reason is given. Names are those of the canonical model: constants folded, batch normalisation merged, every ' +
        'node named. MACs are for one sample. For a bundle it shows levels, groups in the order of --levels, stages, ' +
        'measured variants, and the origin of the bundle.',
    )
    .argument('<model>', 'an ONNX file, or a bundle: a folder written by bedside pack')
    .option('--card', 'of a bundle: its model card in Markdown, and what it does not know')
    .option('--out <file>', 'write the card to a file, not to stdout')
    .addHelpText(
      'after',
      examples(
        ['bedside inspect model.onnx', 'for reading'],
        ['bedside inspect model.onnx --json | jq .groups', 'for programs'],
        ['bedside inspect ecg/', 'a bundle: every byte is checked'],
        ['bedside inspect ecg/ --card --out ecg.md', 'its model card'],
      ),
    )
    .action(async (path: string, options: CommonOptions & InspectOptions & CardOptions) => {
      const output = new Output(options);
      if (options.card) return await card(path, options, output);
      if (options.out !== undefined) {
        throw new BedsideError('E_USAGE', '--out is for --card', {
          hint: 'add --card, or send stdout to a file',
        });
      }
      if (await isBundle(path)) {
        const result = await inspectBundle(path, output);
        output.result(result);
        output.print(describeBundle(path, result));
        return;
      }
      const result = await inspect(path, output, options);
      output.result(result);
      output.print(describeInspected(path, result));
    });
}

async function card(path: string, { out }: CardOptions, output: Output): Promise<void> {
  if (!(await isBundle(path))) {
    throw new BedsideError('E_USAGE', `--card: ${path} is no bundle`, {
      hint: 'a card tells what was measured of a bundle: bedside pack writes one',
    });
  }
  const result = await writeModelCard(path, out, output);
  output.result(result);
  output.print(out === undefined ? result.card.trimEnd() : `${out}: the model card of ${result.name}`);
}
