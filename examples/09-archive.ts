// An image from an archive and back: Orthanc has a study, a bundle answers it, the report and a heat map are stored beside it.
// Run it in the repository: npx tsx examples/09-archive.ts (without Orthanc and its DICOMweb plug-in it says so and ends)
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerStudies } from 'bedside';
import dcmjs from 'dcmjs';
import { picture, SIDE, withImageBundle } from './image-bundle.ts';

const [PROGRAM, PLUGINS, PORT] = ['/usr/sbin/Orthanc', '/usr/share/orthanc/plugins', 18_047];

/** An image of a synthetic patient, as a modality would send it. */
function dicomImage(): Uint8Array<ArrayBuffer> {
  const text = (value: string) => ({ vr: 'UI', Value: [value] });
  const uid = '1.2.826.0.1.3680043.10.1338';
  const dict = dcmjs.data.datasetToDict({
    ...{
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.7',
      SOPInstanceUID: `${uid}.3`,
      Modality: 'OT',
      ConversionType: 'WSD',
    },
    ...{
      StudyInstanceUID: `${uid}.1`,
      SeriesInstanceUID: `${uid}.2`,
      PatientName: 'NAME^TEST',
      PatientID: 'TEST',
    },
    ...{ Rows: SIDE, Columns: SIDE, SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2' },
    ...{ BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0 },
    ...{ _vrMap: { PixelData: 'OW' }, PixelData: picture(200, 9).buffer, _meta: {} },
  });
  dict.meta = {
    '00020001': { vr: 'OB', Value: [new Uint8Array([0, 1]).buffer] },
    ...{ '00020002': text('1.2.840.10008.5.1.4.1.1.7'), '00020003': text(`${uid}.3`) },
    ...{ '00020010': text('1.2.840.10008.1.2.1'), '00020012': text(`${uid}.0`) },
  };
  return new Uint8Array(dict.write());
}

/** Asks Orthanc itself, as its pages do. */
async function orthanc(path: string, body?: Uint8Array<ArrayBuffer>): Promise<unknown> {
  const init = body ? { method: 'POST', body } : {};
  return await (await fetch(`http://127.0.0.1:${PORT}${path}`, init)).json();
}

async function withOrthanc(folder: string, work: () => Promise<void>): Promise<void> {
  const database = join(folder, 'orthanc-db');
  await writeFile(
    join(folder, 'orthanc.json'),
    JSON.stringify({
      ...{ StorageDirectory: database, IndexDirectory: database, Plugins: [PLUGINS], HttpPort: PORT },
      ...{ DicomServerEnabled: false, RemoteAccessAllowed: false, AuthenticationEnabled: false },
    }),
  );
  const server = spawn(PROGRAM, [join(folder, 'orthanc.json')], { stdio: 'ignore' });
  try {
    for (let i = 0; i < 100 && !(await orthanc('/system').catch(() => undefined)); i++) await sleep(100);
    await work();
  } finally {
    const ended = new Promise((done) => server.once('exit', done));
    server.kill();
    await ended;
  }
}

if (!existsSync(PROGRAM) || !existsSync(join(PLUGINS, 'libOrthancDicomWeb.so'))) {
  console.log('skipped: Orthanc with its DICOMweb plug-in is not installed');
} else {
  await withImageBundle(async (bundle, folder) => {
    await withOrthanc(folder, async () => {
      await orthanc('/instances', dicomImage());
      const archive = { url: `http://127.0.0.1:${PORT}/dicom-web` };
      const { answered, heatMaps } = await answerStudies(bundle, { archive });
      console.log(`${answered} study answered, ${heatMaps} heat map`);
      const found = (await orthanc('/series?expand')) as { MainDicomTags: Record<string, string> }[];
      for (const { MainDicomTags } of found) {
        console.log(`  ${MainDicomTags.Modality}: ${MainDicomTags.SeriesDescription ?? 'the image'}`);
      }
      const again = await answerStudies(bundle, { archive });
      console.log(`looked again: ${again.answered} answered, ${again.already} had a report`);
    });
  });
}
