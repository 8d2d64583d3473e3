// Runs every numbered example as its first lines say, and checks that it ends well and prints what it is about. Run: npm run examples
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/** A line that each example prints. One without an entry here fails. */
const SHOWN: Readonly<Record<string, RegExp>> = {
  '01-evaluate-and-prune.ts': /^pruned: +\d+\.\d % of \d+ beats/m,
  '02-pack.ts': /^variant \d+, levels [\d,]+: \d+\.\d %$/m,
  '03-explain.ts': /^heatmaps: .*index\.html$/m,
  '04-plan.ts': /^status optimal, levels [\d ]+$/m,
  '05-run-distributed.ts': /^the same as on one machine: true$/m,
  '06-simulate.ts': /\d/,
  '07-quantize.ts': /^eight bits: [1-9]\d* layers, \d+ bytes instead of \d+/m,
  '09-archive.ts': /^(looked again: 0 answered, 1 had a report|skipped: Orthanc .*)$/m,
  '08-stream.ts': /^\d+ beats: [1-9]\d* answered, 0 late, \d lost$/m,
  '10-stream-to-fhir.ts': /^[1-9]\d* results as FHIR, of a minute each$/m,
};

/** Examples leave what they made here. */
const temporary = mkdtempSync(join(tmpdir(), 'bedside-examples-'));
try {
  const names = readdirSync(join(root, 'examples')).filter((name) => /^\d\d-[a-z-]+\.ts$/.test(name));
  const failed = names.filter((name) => !runs(name));
  const missing = Object.keys(SHOWN).filter((name) => !names.includes(name));
  console.log(`${names.length - failed.length} of ${names.length} examples ran and printed their results`);
  for (const name of missing) console.log(`examples/${name} is missing`);
  if (failed.length + missing.length > 0) process.exitCode = 1;
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

function runs(name: string): boolean {
  console.log(`\n-- ${name}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', `examples/${name}`], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary },
    encoding: 'utf8',
    timeout: 300_000,
  });
  process.stdout.write(stdout);
  const shown = SHOWN[name]?.test(stdout) ?? false;
  if (status !== 0) console.log(`it ended with status ${status}: ${stderr}`);
  else if (!shown)
    console.log(`it did not print ${SHOWN[name] ?? 'a line that scripts/run-examples.ts knows'}`);
  return status === 0 && shown;
}
