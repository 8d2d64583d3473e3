// Windows of recordings of any format: around each annotated R peak of the leads that a network reads, or one after the
// other, at the network's sampling rate, normalised on their own, labelled by beats, rhythms or a list.
import { BedsideError, firstOf, hasClasses, must } from '../../util/index.ts';
import { LabelMap } from '../contract/label-map.ts';
import type { Dataset, DatasetOptions, DatasetSplit } from '../dataset.ts';
import { absentClasses, allocateSamples, numberedClasses } from '../fit.ts';
import { hashSamples } from '../hash.ts';
import { PassedOverCount } from '../passed-over.ts';
import { chooseSamples } from '../sampling/patients.ts';
import { BeatWindows, DEFAULT_RATE } from './beat-windows.ts';
import { type Labelling, labellingOf, tellLabelling } from './labelling.ts';
import { type Peak, rhythmsAt, rhythmWindows, windowsAfterEachOther } from './marks.ts';
import { type ListedRecord, listedRecords } from './record-patients.ts';
import { guessRemarks, type LeadFacts, leadCounts, leadRemarks, rateRemarks } from './remarks.ts';
import type { Lead, MarkedRecord, RecordSource } from './source.ts';
import { type SignalTarget, signalTarget, writeWindows } from './steps.ts';

/** Records that a message names: as many as the MIT-BIH database has, and not all of a large one. */
const MOST_NAMED = 50;

/** Far more than a record has annotations, so that record and annotation make one number. */
const RECORD_STRIDE = 2 ** 32;

interface Beat extends Peak {
  readonly record: string;
  readonly patient: string;
  readonly position: number;
}

/** Facts about the records after all have been looked through. */
interface Survey {
  readonly beats: readonly Beat[];
  readonly leads: LeadFacts;
  readonly passedOver: PassedOverCount;
  readonly labelling: Labelling;
  readonly windows: BeatWindows;
  /** About where the labels are from. */
  readonly remarks: readonly string[];
}

/**
 * Reads the beats of recordings, or windows of one rhythm each where no beats are annotated. A window that leaves its
 * record or has missing samples is left out. Without either, windows one after the other have the label that a list gives
 * their record, or none where the source allows that. Of each record's windows in time order, the first two thirds are
 * the local split and the rest the test split, unless patients are divided or the list says the record's split. A record
 * of another sampling rate than the network's (360 Hz where nothing says it) is resampled. Records without annotations are
 * passed over, unless they were asked for by name. For tasks that are not of classes, windows have no labels.
 * @throws BedsideError E_DATA_FIT unless the model reads one lead, or leads that its contract names, and its classes are
 * known; E_CONTRACT as `signalTarget`
 * @throws BedsideError E_DATA for an unknown record, a damaged file, or missing annotations
 * @throws BedsideError E_FILE for a file that cannot be read
 */
export async function readRecordings(source: RecordSource, options: DatasetOptions): Promise<Dataset> {
  const { path } = source;
  const target = signalTarget(options.sampleShape, options.contract?.signal, path);
  const size = target.length * target.leads.length;
  // Twice through the files, so that only one record's signal is in memory and only chosen windows are kept.
  const { beats, leads, passedOver, labelling, windows, remarks } = await survey(source, target, options);
  if (beats.length === 0) throw nothingLeft(path, options.split, passedOver);
  const { all, classNames, leftOut, labelRemarks } = labelsOf(beats, labelling, options, path);
  const patients = beats.map(({ patient }) => patient);
  const chosen = chooseSamples({ size: beats.length, labels: all, patients }, options, path);

  const samples = allocateSamples(chosen.length, size, path);
  const labels = all && Int32Array.from(chosen, (from) => all[from] ?? 0);
  const positions = new Float64Array(chosen.length);
  const origins: string[] = [];
  let own: readonly Lead[] = [];
  for (const [to, from] of chosen.entries()) {
    const beat = must(beats[from], 'a beat for each index');
    if (own[0]?.record !== beat.record) own = must(await source.leads(beat.record, target), 'its leads');
    const cut = own.map((lead) => windows.cut(lead, frameIn(lead, own, beat.frame)));
    writeWindows(cut, target, samples, to * size);
    positions[to] = beat.position;
    origins.push(beat.record);
  }
  return {
    kind: source.kind,
    name: path,
    size: chosen.length,
    sampleShape: [...options.sampleShape],
    samples,
    labels,
    patients: Array.from(chosen, (i) => must(patients[i], 'a patient for each beat')),
    ...(options.splitBy && { splitBy: options.splitBy }),
    classNames,
    origins,
    positions,
    skipped: [],
    passedOver: [...passedOver.list(), ...leftOut],
    remarks: [
      ...remarks,
      ...target.remarks,
      ...leadRemarks(leads, target),
      ...guessRemarks(leads),
      ...rateRemarks(leads, windows.rate, options.rate === undefined),
      ...labelRemarks,
      ...absentClasses(all, classNames, options.classFilter, path),
    ],
    rate: windows.rate,
    peak: labelling.by === 'beat' ? windows.before : null,
    leads: leadCounts(leads),
    hash: hashSamples(samples, labels),
  };
}

/** An error about recordings that give no window, with what was passed over. */
function nothingLeft(path: string, split: DatasetSplit, passedOver: PassedOverCount): BedsideError {
  const left = passedOver.list().map(({ reason, count }) => `${count} ${reason}`);
  const why = left.join('; ') || 'its recordings are shorter than a window, or hold none of this split';
  return new BedsideError('E_DATA', `no window of ${path} is left for the ${split} split: ${why}`, {
    hint: 'choose other records or another split, or name other leads in the contract',
  });
}

/** A frame of the first lead in the frames of another one, which may have another rate. */
function frameIn({ rate }: Lead, [first]: readonly Lead[], frame: number): number {
  return first === undefined || rate === first.rate ? frame : Math.round((frame * rate) / first.rate);
}

/** The windows' labels as the network's classes; none for a network of another task, or where nothing says them. */
function labelsOf(beats: readonly Beat[], { by, names }: Labelling, options: DatasetOptions, path: string) {
  const { task = 'single-label', contract, classes } = options;
  const unnamed = { all: undefined, classNames: contract?.classes ?? numberedClasses(classes), leftOut: [] };
  if (by === 'nothing') return { ...unnamed, labelRemarks: [] };
  if (!hasClasses(task)) {
    const what = by === 'record' ? 'label of a record' : by;
    const remark = `a ${what} of ${path} is one class, which is not what a ${task} task needs: windows are without labels`;
    return { ...unnamed, labelRemarks: [remark] };
  }
  const map = LabelMap.named(options, names, path);
  const { labels, leftOut } = map.apply(Int32Array.from(beats, (beat) => beat.label));
  return { all: labels, classNames: map.classNames, leftOut, labelRemarks: map.remarks };
}

async function survey(source: RecordSource, target: SignalTarget, options: DatasetOptions): Promise<Survey> {
  const { length } = target;
  const passedOver = new PassedOverCount();
  const known = await source.list(passedOver);
  const records = chosenRecords(source.path, known, options.records);
  const listed = await listedRecords(source.folder, known, passedOver);
  const marks = await marksOf(source, records, { target, passedOver, options, listed });
  const read = [...marks.values()].flatMap((one) => one.marks ?? []);
  const isBeats = read.some(({ peaks }) => peaks.length > 0);
  const others = isBeats || records.length === known.length ? [] : known.filter((name) => !marks.has(name));
  const more: MarkedRecord[] = [];
  for (const name of others) more.push(await source.marks(name, new PassedOverCount()));
  const all = [...read, ...more.flatMap((one) => one.marks ?? [])];
  const allowed = { listed, unlabelled: source.withoutMarks === undefined };
  const labelling = labellingOf(read, all, options, { path: source.path, ...allowed });
  const windows = new BeatWindows(
    length,
    options.rate ?? DEFAULT_RATE,
    labelling.by === 'beat' ? target.before : 0,
    labelling.by === 'beat' ? 'beats' : 'windows',
  );
  const found: Found = { source, target, labelling, windows, passedOver, listed };
  const beats: Beat[] = [];
  const leads: Omit<Lead, 'signal'>[][] = [];
  const unlabelled: string[] = [];
  for (const [done, record] of records.entries()) {
    options.onProgress?.(done, records.length);
    const own = marks.get(record);
    if (!own || isUnlabelled(record, own, found)) {
      unlabelled.push(record);
      continue;
    }
    const all = await source.leads(record, target);
    if (!all) {
      lacksLeads(record, target, options, passedOver);
      continue;
    }
    leads.push(all.map(({ signal: _, ...facts }) => facts));
    const place = known.indexOf(record) * RECORD_STRIDE;
    const patient = listed.get(record)?.patient ?? source.patientOf(record, must(all[0], 'a lead'));
    for (const peak of windowsOf(record, own, all, found, options)) {
      beats.push({ ...peak, record, patient, position: place + peak.annotation });
    }
  }
  options.onProgress?.(records.length, records.length);
  for (const record of unlabelled) countUnlabelled(record, found);
  const told = tellLabelling(labelling, length, isBeats, source.path);
  return {
    beats,
    leads,
    passedOver,
    labelling,
    windows,
    remarks: [...source.remarks(labelling.by), ...told],
  };
}

/** What windows are cut by. */
interface Found {
  readonly source: RecordSource;
  readonly target: SignalTarget;
  readonly labelling: Labelling;
  readonly windows: BeatWindows;
  readonly passedOver: PassedOverCount;
  readonly listed: ReadonlyMap<string, ListedRecord>;
}

/** Counts a record that has nothing which windows are labelled by. */
function countUnlabelled(record: string, { labelling: { by }, source, passedOver }: Found): void {
  const reason =
    by === 'record' ? 'records without a label in the list' : `records without annotations${source.marksIn}`;
  passedOver.add(reason, record);
}

/** Whether a record has nothing that windows are labelled by. */
function isUnlabelled(
  record: string,
  { marks }: MarkedRecord,
  { labelling: { by }, listed }: Found,
): boolean {
  if (by === 'nothing') return false;
  return by === 'record' ? listed.get(record)?.label === undefined : !marks;
}

/** The windows of a record that are whole in every lead and in the split. */
function windowsOf(
  record: string,
  own: MarkedRecord,
  leads: readonly Lead[],
  { source, labelling, windows, target, passedOver, listed }: Found,
  { splitBy, split }: DatasetOptions,
): readonly Peak[] {
  const lead = must(leads[0], 'a lead');
  const step = stepOf(target);
  const peaks = ((): readonly Peak[] => {
    switch (labelling.by) {
      case 'beat':
        return beatsOf(own, lead, labelling, (reason) =>
          passedOver.add(`${reason}${source.marksIn} marks a beat`, record),
        );
      case 'rhythm':
        return rhythmsOf(own, lead, windows, { names: labelling.names, step }, passedOver);
      default: {
        const label = labelling.names.indexOf(listed.get(record)?.label ?? '');
        const frames = (samples: number): number => (samples * lead.rate) / windows.rate;
        return windowsAfterEachOther(lead.signal.length, frames(windows.length), frames(step), label);
      }
    }
  })();
  const whole = leads.reduce<readonly Peak[]>(
    (left, one) => windows.whole(one, left, passedOver, lead.rate),
    peaks,
  );
  if (splitBy) return whole;
  const said = labelling.by === 'record' ? listed.get(record)?.split : undefined;
  if (said === undefined) return inSplit(whole, split);
  return said === split || (split === 'all' && said !== 'val') ? whole : [];
}

/** The marks of the records that can give windows; in the order of the records. */
async function marksOf(
  source: RecordSource,
  records: readonly string[],
  {
    target,
    passedOver,
    options,
    listed,
  }: {
    readonly target: SignalTarget;
    readonly passedOver: PassedOverCount;
    readonly options: DatasetOptions;
    readonly listed: ReadonlyMap<string, ListedRecord>;
  },
): Promise<Map<string, MarkedRecord>> {
  const marks = new Map<string, MarkedRecord>();
  const isLabelled = (record: string): boolean => listed.get(record)?.label !== undefined;
  for (const name of records) {
    const own = await source.marks(name, passedOver);
    if (own.marks === undefined && options.records && source.withoutMarks && !isLabelled(name)) {
      throw source.withoutMarks(name);
    }
    marks.set(name, own);
  }
  const [first] = records;
  const isBare = [...marks.values()].every((one) => one.marks === undefined);
  if (first !== undefined && isBare && source.withoutMarks && !records.some(isLabelled)) {
    // A record that is damaged too is told so first.
    await source.leads(first, target);
    throw source.withoutMarks(first);
  }
  return marks;
}

/** Counts a record without the leads that the network reads; refuses one that was asked for. */
function lacksLeads(
  record: string,
  { leads }: SignalTarget,
  { records }: DatasetOptions,
  passedOver: PassedOverCount,
): void {
  const wanted = leads.map((names) => names.join(' or ')).join(', ');
  if (!records) {
    passedOver.add(`records without the leads ${wanted}`, record);
    return;
  }
  throw new BedsideError('E_DATA', `record ${record} does not have the leads ${wanted}`, {
    hint: 'leave it out of --records, or give other names of these leads in signal.leads of the contract',
  });
}

function beatsOf(
  { marks, rate }: MarkedRecord,
  lead: Lead,
  labelling: Labelling,
  countBare: (reason: string) => void,
): readonly Peak[] {
  const { peaks } = must(marks, 'its marks');
  if (peaks.length === 0) countBare('records of which no annotation');
  const isBySymbol = labelling.by === 'beat' && labelling.symbols;
  const own = isBySymbol ? peaks.map((peak) => ({ ...peak, label: peak.symbol ?? 0 })) : peaks;
  if (rate === lead.rate) return own;
  return own.map((peak) => ({ ...peak, frame: Math.round((peak.frame * lead.rate) / rate) }));
}

/** Samples from one segment to the next. */
function stepOf({ length, contract: { window } }: SignalTarget): number {
  return (window?.around === 'segment' ? window.step : undefined) ?? length;
}

/** Windows of one rhythm each. */
function rhythmsOf(
  { marks, rate: own }: MarkedRecord,
  { record, rate, signal }: Lead,
  windows: BeatWindows,
  { names, step }: { readonly names: readonly string[]; readonly step: number },
  passedOver: PassedOverCount,
): readonly Peak[] {
  const length = (windows.length * rate) / windows.rate;
  const frames = (step * rate) / windows.rate;
  const rhythms = rhythmsAt(must(marks, 'its marks').rhythms, rate / own);
  const { windows: found, outside, mixed } = rhythmWindows(rhythms, signal.length, length, names, frames);
  if (outside.before > 0) passedOver.add('windows before the first rhythm', record, outside.before);
  if (outside.within > 0)
    passedOver.add('windows to which no annotation gives a label', record, outside.within);
  if (mixed > 0) passedOver.add('windows in which the rhythm changes', record, mixed);
  return found;
}

function chosenRecords(
  folder: string,
  known: readonly string[],
  wanted: readonly string[] | undefined,
): readonly string[] {
  if (!wanted) return known;
  const unknown = wanted.filter((record) => !known.includes(record));
  if (unknown.length > 0) {
    throw new BedsideError('E_DATA', `${folder} has no record ${unknown.join(', ')}`, {
      hint: `its records are ${firstOf(known, MOST_NAMED)}`,
    });
  }
  return known.filter((record) => wanted.includes(record));
}

function inSplit(beats: readonly Peak[], split: DatasetSplit): readonly Peak[] {
  // Rounded up: a beat that straddles the border was learned from, so that accuracy is never measured on it.
  const local = Math.ceil((beats.length * 2) / 3);
  if (split === 'all') return beats;
  return split === 'local' ? beats.slice(0, local) : beats.slice(local);
}
