// The study's results as they grow: one line of JSON for each job, appended, so that an interrupted run loses nothing.
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Job } from './plan.ts';

/** Balanced accuracy, agreement with the uncut network and share of MACs left, at one ratio. */
export type Measured = readonly [balancedAccuracy: number, agreement: number, macsFraction: number];

/** A job with what came of it. */
export interface Cell extends Job {
  /** One entry for each ratio of the plan; null where it was not measured. */
  readonly measured: readonly (Measured | null)[];
  /** What `auto` chose, for each ratio that was measured. */
  readonly picks?: readonly string[];
  /** Samples scored, and seconds that took, sessions included. */
  readonly samples: number;
  readonly scoreSeconds: number;
  /** Milliseconds a sample once under way, and those of a forward pass just before; null where there is too little. */
  readonly msPerSample: number | null;
  readonly forwardMs: number | null;
  /** Seconds of the whole job. */
  readonly seconds: number;
}

/** The growing files, beside the reports. */
export const cellsPath = (name: string): string =>
  fileURLToPath(new URL(`../results/${name}.cells.jsonl`, import.meta.url));

/** What is there. A last line cut short by an interrupted run is left out; its job is done again. */
export async function readLines<T>(path: string): Promise<T[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw cause;
  }
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  return complete
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as T);
}

/** Adds one line. */
export async function appendLine(path: string, value: object): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `${JSON.stringify(value)}\n`);
}

/** Digits that are kept. */
export const rounded = (value: number, digits = 4): number => Number(value.toFixed(digits));
