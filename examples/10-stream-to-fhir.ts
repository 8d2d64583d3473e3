// A record streamed as a monitor would send it: heartbeats are found and classified, and given back as FHIR files.
// Run it in the repository: npx tsx examples/10-stream-to-fhir.ts
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stream } from 'bedside';
import { HEARTBEATS, withSmallBundle } from './small-bundle.ts';

/** Writes generated heartbeats, one after the other, as a WFDB record of one lead: 16-bit samples, 200 a millivolt. */
async function writeRecord(folder: string): Promise<string> {
  const millivolts = Array.from({ length: 20 }, () => Array.from(HEARTBEATS.samples)).flat();
  const steps = Int16Array.from(millivolts, (value) => Math.round(200 * value));
  const header = `r1 1 360 ${steps.length}\nr1.dat 16 200 16 0 0 0 0 MLII\n`;
  await writeFile(join(folder, 'r1.dat'), new Uint8Array(steps.buffer));
  await writeFile(join(folder, 'r1.hea'), header);
  return join(folder, 'r1');
}

const folder = await mkdtemp(join(tmpdir(), 'bedside-fhir-'));
try {
  await withSmallBundle(async (bundle) => {
    const out = join(folder, 'fhir');
    const { beats, classes, fhir } = await stream(bundle, {
      sources: [`wfdb:${await writeRecord(folder)}`],
      // As fast as beats are answered; a monitor's signal comes in real time.
      ...{ speed: 0, workers: 1, fhirEvery: 60 },
      // The patient is named here, and never read from data.
      patients: { '': 'Patient/123' },
      // The address of a server instead sends them there, through a queue on the disk.
      fhir: { target: out },
    });
    console.log(`${beats} heartbeats: ${JSON.stringify(classes)}`);
    console.log(`${fhir?.delivered} results as FHIR, of a minute each`);
    const [first = ''] = await readdir(out);
    const { entry } = JSON.parse(await readFile(join(out, first), 'utf8')) as {
      entry: { resource: { resourceType: string; conclusion?: string } }[];
    };
    console.log(`one of them: ${entry.map(({ resource }) => resource.resourceType).join(', ')}`);
    console.log(entry.find(({ resource }) => resource.conclusion)?.resource.conclusion);
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
