// Writes the valid files of bench/fuzz/corpus anew. What was found on the way (`found`) stays.
// Command: npx tsx bench/fuzz/make-corpus.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORPUS } from '../../test/support/fuzz/kept-corpus.ts';
import { dicomCorpus, edfCorpus, niftiCorpus } from '../../test/support/fuzz/medical-corpus.ts';
import { packetCorpus } from '../../test/support/fuzz/packet-corpus.ts';

const kinds = { edf: edfCorpus, dicom: dicomCorpus, nifti: niftiCorpus, packets: packetCorpus };
for (const [kind, make] of Object.entries(kinds)) {
  mkdirSync(join(CORPUS, kind), { recursive: true });
  for (const [name, bytes] of Object.entries(make())) writeFileSync(join(CORPUS, kind, name), bytes);
}
