// How much of what is drawn at random the tests look at: a part in `npm test`, all of it in `npm run test:long`.

/** Whether this is `npm run test:long`. */
export const LONG = process.env.BEDSIDE_LONG === '1';

/** So many rounds. */
export function rounds(usual: number, long: number): number {
  return LONG ? long : usual;
}
