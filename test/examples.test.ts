// Runs every example as its first lines say, and looks for what it prints.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const examples = readdirSync(new URL('../examples/', import.meta.url)).filter((name) => /^\d/.test(name));

/** Examples leave what they made here. */
const temporary = mkdtempSync(join(tmpdir(), 'bedside-examples-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** A line that shows what an example is about, beside figures. */
const SHOWN: Readonly<Record<string, RegExp>> = {
  '01-evaluate-and-prune.ts': /^pruned: +\d+\.\d % of \d+ beats/m,
  '02-pack.ts': /^variant \d+, levels [\d,]+: \d+\.\d %$/m,
  '03-explain.ts': /^heatmaps: .*index\.html$/m,
};

describe('examples', () => {
  it('are numbered, each with a number of its own', () => {
    const numbers = examples.map((name) => /^(\d\d)-[a-z-]+\.ts$/.exec(name)?.[1]);
    expect(numbers).not.toContain(undefined);
    expect(new Set(numbers).size).toBe(examples.length);
  });

  it.each(examples)(
    '%s runs and prints its result',
    async (name) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', 'tsx', `examples/${name}`],
        {
          cwd: root,
          env: { ...process.env, TMPDIR: temporary },
          timeout: 110_000,
        },
      );
      expect(stdout).toMatch(SHOWN[name] ?? /\d/);
    },
    120_000,
  );
});
