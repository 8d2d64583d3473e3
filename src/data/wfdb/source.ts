// A folder of WFDB records (PhysioNet) as a source of recordings.
import type { BedsideError } from '../../util/index.ts';
import type { Dataset, DatasetOptions } from '../dataset.ts';
import type { Labelling } from '../recordings/labelling.ts';
import type { Marks } from '../recordings/marks.ts';
import { patientOf } from '../recordings/record-patients.ts';
import { readRecordings } from '../recordings/recordings.ts';
import { few } from '../recordings/remarks.ts';
import type { Lead, MarkedRecord, RecordSource } from '../recordings/source.ts';
import type { SignalTarget } from '../recordings/steps.ts';
import { listRecords } from './folder.ts';
import { readMarks, withoutAnnotations } from './marks.ts';
import { readLeads } from './record.ts';
import { openRecord } from './segments.ts';

/**
 * Reads the windows of a folder's records, as `readRecordings`. Records without annotations are passed over, unless they
 * were asked for by name or a list of labels names them.
 * @throws BedsideError as `readRecordings`; E_DATA where no record has annotations
 */
export async function readWfdb(folder: string, options: DatasetOptions): Promise<Dataset> {
  return readRecordings(new WfdbSource(folder), options);
}

class WfdbSource implements RecordSource {
  readonly kind = 'wfdb';
  readonly marksIn = ' (.atr)';
  readonly path: string;
  readonly folder: string;
  readonly #marks = new Map<string, Marks>();

  constructor(folder: string) {
    this.path = folder;
    this.folder = folder;
  }

  list = (passedOver: Parameters<RecordSource['list']>[0]): Promise<readonly string[]> =>
    listRecords(this.folder, passedOver);

  async marks(record: string): Promise<MarkedRecord> {
    const { rate } = await openRecord(this.folder, record);
    const marks = await readMarks(this.folder, record, rate);
    if (marks) this.#marks.set(record, marks);
    return { marks, rate };
  }

  leads(record: string, target: SignalTarget): Promise<readonly Lead[] | undefined> {
    return readLeads(this.folder, record, target);
  }

  patientOf(record: string, { rate, signal }: Lead): string {
    return patientOf(record, { rate, frames: signal.length });
  }

  withoutMarks = (record: string): BedsideError => withoutAnnotations(this.folder, record);

  /** Says where beats are from other files than .atr. */
  remarks(by: Labelling['by']): string[] {
    if (by !== 'beat') return [];
    const others = new Map<string, string[]>();
    for (const [record, { annotator, peaks }] of this.#marks) {
      if (annotator === 'atr' || peaks.length === 0) continue;
      others.set(annotator, [...(others.get(annotator) ?? []), record]);
    }
    return [...others].map(
      ([annotator, records]) =>
        `beats were read from .${annotator} where .atr marks none: ${records.length} of ${this.#marks.size} records (${few(records)})`,
    );
  }
}
