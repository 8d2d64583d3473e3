// Recordings of any format, as the reader of windows sees them: records with marks, and leads in the network's units.
import { BedsideError } from '../../util/index.ts';
import type { Dataset } from '../dataset.ts';
import type { PassedOverCount } from '../passed-over.ts';
import type { Labelling } from './labelling.ts';
import type { Marks } from './marks.ts';
import type { SignalTarget } from './steps.ts';

/** Stands for any lead that is not taken yet. */
export const ANY = '*';

/** A record's signal of one lead. */
export interface Lead {
  readonly record: string;
  /** Frames per second. */
  readonly rate: number;
  /** The lead's name as the recording has it. */
  readonly name: string;
  /** Whether it is another than the one that is looked for, as the record has none. */
  readonly isFallback: boolean;
  /** What was guessed about its values: `in 'NU', which was taken for millivolts`; undefined where nothing was. */
  readonly guess?: string | undefined;
  /** In the network's units (millivolts unless said), one a frame; missing ones are NaN. */
  readonly signal: Float64Array;
}

/** A record's marks. */
export interface MarkedRecord {
  /** Undefined where the record has no annotations. */
  readonly marks: Marks | undefined;
  /** Frames per second that marks are counted in. */
  readonly rate: number;
}

/** The recordings of a folder or a file. */
export interface RecordSource {
  readonly kind: Dataset['kind'];
  /** The data's path, as messages call it. */
  readonly path: string;
  /** The folder that a list of labels may lie in. */
  readonly folder: string;
  /** Where annotations are, in messages: ` (.atr)`; empty where they are in the records themselves. */
  readonly marksIn: string;
  /** All names, sorted; what is not read is counted. */
  list(passedOver: PassedOverCount): Promise<readonly string[]>;
  /** What marks a record's beats and rhythms. */
  marks(record: string, passedOver: PassedOverCount): Promise<MarkedRecord>;
  /** The leads that a network reads; undefined where the record lacks one. */
  leads(record: string, target: SignalTarget): Promise<readonly Lead[] | undefined>;
  /** Whose a record is, where no list says it. */
  patientOf(record: string, lead: Lead): string;
  /** Remarks about what was guessed to read records. @param by what labels windows */
  remarks(by: Labelling['by']): readonly string[];
  /** The error about a record without annotations; absent where such records give windows one after the other. */
  readonly withoutMarks?: ((record: string) => BedsideError) | undefined;
}

/**
 * The leads for lists of names, as `leadPlaces` chooses them. Undefined where one is missing.
 * @param isNamed whether a lead goes by a name
 * @throws BedsideError E_DATA for a record without signals
 */
export function chooseLeads(
  { name, leads }: { readonly name: string; readonly leads: readonly string[] },
  wanted: readonly (readonly string[])[],
  isNamed: (lead: string, name: string) => boolean = (lead, own) => lead === own,
): readonly number[] | undefined {
  if (leads.length === 0) {
    throw new BedsideError('E_DATA', `record ${name} has no signals`, {
      hint: 'leave it out with --records',
    });
  }
  const taken = leadPlaces(leads, wanted, isNamed);
  return taken.every((place) => place >= 0) ? taken : undefined;
}

/**
 * The place among `leads` for each list of names, -1 for none; leads that are named go before `*`, which takes what is
 * left.
 * @param isNamed whether a lead goes by a name
 */
export function leadPlaces(
  leads: readonly string[],
  wanted: readonly (readonly string[])[],
  isNamed: (lead: string, name: string) => boolean = (lead, own) => lead === own,
): readonly number[] {
  const taken: number[] = [];
  const free = (place: number): boolean => !taken.includes(place);
  for (const names of wanted) {
    const places = names.map((own) =>
      own === ANY ? -1 : leads.findIndex((lead, place) => free(place) && isNamed(lead, own)),
    );
    taken.push(places.find((place) => place >= 0) ?? -1);
  }
  for (const [i, names] of wanted.entries()) {
    if (taken[i] === -1 && names.includes(ANY)) taken[i] = leads.findIndex((_, place) => free(place));
  }
  return taken;
}
