// Parsers of option values that are numbers or lists. Each refuses in words that commander puts behind the option's name.
import { InvalidArgumentError } from 'commander';

/** A whole number from 1 to `most`. */
export function count(most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = whole(text);
    if (value < 1 || value > most) {
      throw new InvalidArgumentError(
        most === Number.MAX_SAFE_INTEGER
          ? 'Expected a whole number from 1.'
          : `Expected a whole number from 1 to ${most}.`,
      );
    }
    return value;
  };
}

/** A number from `least` to `most`, which `what` names in errors. */
export function numberIn(least: number, most: number, what: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected ${what} from ${least} to ${most}.`);
  };
}

/** A number above 0, at most `most`, which `what` names in errors. */
export function positive(most: number, what: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && value <= most) return value;
    throw new InvalidArgumentError(`Expected ${what} above 0, at most ${most}.`);
  };
}

/** A number in [0, 1]. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('Expected a number in [0, 1].');
}

/** A fraction of channels removed, in [0, 1). */
export function ratio(text: string): number {
  const value = number(text);
  if (!(value >= 0 && value < 1)) {
    throw new InvalidArgumentError('A ratio is the fraction of channels removed, in [0, 1).');
  }
  return value;
}

/** Fractions of channels removed, without repeats, ascending. */
export function ratios(text: string): readonly number[] {
  return [...new Set(items(text).map(ratio))].sort((a, b) => a - b);
}

/** A share of the multiply-accumulates that is left, in (0, 1]. */
export function macsFraction(text: string): number {
  const value = number(text);
  if (!(value > 0 && value <= 1)) {
    throw new InvalidArgumentError('Expected the share of multiply-accumulates to be left, in (0, 1].');
  }
  return value;
}

/** Levels with commas, one a group; repeats stay. */
export function levelList(text: string): readonly number[] {
  return items(text).map(whole);
}

/** Names with commas, without repeats. */
export function names(text: string): readonly string[] {
  return [...new Set(items(text))];
}

/** What stands between commas. */
export function items(text: string): string[] {
  const list = text.split(',').map((item) => item.trim());
  if (list.includes('')) throw new InvalidArgumentError('Expected a list with commas and without gaps.');
  return list;
}

/** A whole number from 0. */
export function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError(`'${text}' is not a whole number from 0.`);
  return Number(text);
}

/** Any finite number. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError(`'${text}' is not a number.`);
  return value;
}
