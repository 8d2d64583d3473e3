// `bedside dicomweb`: images of an archive are answered, and reports are stored beside them.
import type { Command } from 'commander';
import { answerStudies } from '../../../app/interop/answer-studies.ts';
import { examples } from '../../command-line.ts';
import { addCommon } from '../../options/common.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { studiesJson } from './json.ts';
import { addDicomwebOptions, type DicomwebCommandOptions, studiesOptions } from './options.ts';
import { describeStudies } from './text.ts';

/** Adds the command to the program. */
export function addDicomweb(program: Command): void {
  const command = program
    .command('dicomweb')
    .summary('answer the images of an archive (PACS), and store reports in their studies')
    .description(
      'Has a bundle answer the images of an archive, and stores a structured report and heat maps in the same study: ' +
        'unverified, preliminary, not for clinical use. DICOMweb finds studies (QIDO-RS), fetches images (WADO-RS) and stores results (STOW-RS). A study ' +
        'has one report of a bundle, by whose identifier it is found again: none is answered twice, also after a kill. With ' +
        '--watch it goes on with studies that arrive, once they no longer grow between two looks. Images are read as --data reads DICOM. ' +
        'Names, numbers and dates of patients stay in the archive: messages name a study by a hash. ' +
        'docs/edges.md shows the way of an image, docs/dicom-conformance.md what is exchanged.',
    )
    .argument('<address>', "of the archive's DICOMweb service, as in http://127.0.0.1:8042/dicom-web")
    .argument('<bundle>', 'a folder written by bedside pack, for images');
  addDicomwebOptions(command);
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside dicomweb http://127.0.0.1:8042/dicom-web chest/', 'what the archive has now'],
        ['bedside dicomweb https://pacs.example.org/rs chest/ --watch --modality DX', 'what arrives'],
        [
          'bedside dicomweb https://pacs.example.org/rs chest/ --watch --gateway https://ward:8500',
          'by a fleet',
        ],
        ['bedside dicomweb http://127.0.0.1:8042/dicom-web chest/ --fhir-out fhir/ --json', 'FHIR files too'],
      ),
    )
    .action((address: string, bundle: string, options: DicomwebCommandOptions) =>
      run(address, bundle, options),
    );
}

async function run(address: string, bundle: string, options: DicomwebCommandOptions): Promise<void> {
  const output = new Output(options);
  const stop = Interrupt.ofService();
  try {
    const result = await answerStudies(
      bundle,
      { ...studiesOptions(address, options), signal: stop.signal },
      output,
    );
    output.result(studiesJson(result));
    output.print(describeStudies(result));
  } finally {
    stop.end();
  }
}
