// Options of commands that quantise to eight bits.
import type { Command } from 'commander';
import { DEFAULT_BUDGET } from '../../quantize/index.ts';
import { assertNoneTyped } from './explicit.ts';
import { names, numberIn } from './numbers.ts';

/** What `addInt8` adds. */
export interface Int8CommandOptions {
  readonly keepFloat?: readonly string[];
  readonly budget?: number;
  readonly reducedRange?: boolean;
}

/** --keep-float, --budget and --reduced-range. */
export function addInt8(command: Command, behind = ''): Command {
  return command
    .option('--keep-float <list>', `layers that stay in float32: names, \`first\`, \`last\`${behind}`, names)
    .option(
      '--budget <share>',
      'how far eight bits may change the scores of held-out samples: squared difference over their variance; layers go ' +
        `back to float32 until that is met; default ${DEFAULT_BUDGET}${behind}`,
      numberIn(0, 1, 'a share'),
    )
    .option(
      '--reduced-range',
      `weights of seven bits, for processors without VNNI; default: where this machine needs it${behind}`,
    );
}

/** @throws BedsideError E_USAGE for an option about eight bits without --int8 */
export function assertInt8(command: Command, { int8 }: { readonly int8?: boolean | undefined }): void {
  if (int8) return;
  assertNoneTyped(command, {
    options: ['--keep-float', '--budget', '--reduced-range'],
    because: (option) => `${option} is about eight bits, and needs --int8`,
    hint: 'add --int8, or leave the option out',
  });
}
