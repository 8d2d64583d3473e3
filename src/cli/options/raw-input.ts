// The option that says where the raw input may go, for all commands that plan.
import { Option } from 'commander';
import { RAW_INPUT_CHOICES } from '../../plan/index.ts';

/** `--raw-input`. */
export function rawInputOption(): Option {
  return new Option(
    '--raw-input <where>',
    'source (default): the first stage runs where the input is; trusted: on any trusted device, to which the input then travels',
  ).choices(RAW_INPUT_CHOICES);
}
