// The browser of the machine, and whether pictures are wanted.
import { existsSync } from 'node:fs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The browser that `CHROMIUM` names, or one where systems put it; undefined where there is none. */
export function chromiumPath(): string | undefined {
  return [process.env.CHROMIUM ?? '', ...PLACES].find((path) => path !== '' && existsSync(path));
}

/** Whether a browser and the list of processes (for killing workers) are there. */
export const CAN_BROWSE = chromiumPath() !== undefined && existsSync('/proc/self/task');

const { BEDSIDE_SCREENSHOTS: shown } = process.env;

/** `BEDSIDE_SCREENSHOTS`: a folder of a bundle to show, or 1 for the small one of the tests. */
export const SCREENSHOTS: { readonly bundle?: string } | undefined =
  shown === undefined ? undefined : shown === '1' ? {} : { bundle: shown };
