// Heartbeats from a folder of WFDB records (PhysioNet): a window around each annotated R peak of one lead, at the
// network's sampling rate, normalised on its own, labelled with the five classes of ANSI/AAMI EC57.
import { BedsideError, hasClasses, must } from '../util/index.ts';
import { BeatWindows, DEFAULT_RATE } from './beat-windows.ts';
import { LabelMap } from './contract/label-map.ts';
import type { Dataset, DatasetOptions, DatasetSplit } from './dataset.ts';
import { absentClasses, allocateSamples, numberedClasses } from './fit.ts';
import { hashSamples } from './hash.ts';
import { PassedOverCount } from './passed-over.ts';
import { chooseSamples } from './patients.ts';
import { type SignalTarget, signalTarget, writeWindows } from './signal-steps.ts';
import { listRecords } from './wfdb-folder.ts';
import { type Labelling, labellingOf, tellLabelling } from './wfdb-labelling.ts';
import { type Marks, type Peak, readMarks, rhythmWindows, withoutAnnotations } from './wfdb-marks.ts';
import { listedPatients, patientOf } from './wfdb-patients.ts';
import { ANY, type Lead, readLeads } from './wfdb-record.ts';
import { openRecord } from './wfdb-segments.ts';

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
  /** Of each record, without signals. */
  readonly leads: readonly (readonly Omit<Lead, 'signal'>[])[];
  readonly passedOver: PassedOverCount;
  readonly labelling: Labelling;
  readonly windows: BeatWindows;
  /** About where the labels are from. */
  readonly remarks: readonly string[];
}

/**
 * Reads the beats of a folder's records, or windows of one rhythm each where no beats are annotated. A window that
 * leaves its record or has missing samples is left out. Of each record's windows in time order, the first two thirds are
 * the local split and the rest the test split, unless patients are divided. A record of another sampling rate than the
 * network's (360 Hz where nothing says it) is resampled. Records without annotations are passed over, unless they were
 * asked for by name. For tasks that are not of classes, windows have no labels.
 * @throws BedsideError E_DATA_FIT unless the model reads one lead, or leads that its contract names, and its classes are
 * known; E_CONTRACT as `signalTarget`
 * @throws BedsideError E_DATA for an unknown record, a damaged file, or missing annotations
 * @throws BedsideError E_FILE for a file that cannot be read
 */
export async function readWfdb(folder: string, options: DatasetOptions): Promise<Dataset> {
  const target = signalTarget(options.sampleShape, options.contract?.signal, folder);
  const size = target.length * target.leads.length;
  // Twice through the files, so that only one record's signal is in memory and only chosen windows are kept.
  const { beats, leads, passedOver, labelling, windows, remarks } = await survey(folder, target, options);
  const { all, classNames, leftOut, labelRemarks } = labelsOf(beats, labelling, options, folder);
  const patients = beats.map(({ patient }) => patient);
  const chosen = chooseSamples({ size: beats.length, labels: all, patients }, options, folder);

  const samples = allocateSamples(chosen.length, size, folder);
  const labels = all && Int32Array.from(chosen, (from) => all[from] ?? 0);
  const positions = new Float64Array(chosen.length);
  const origins: string[] = [];
  let own: readonly Lead[] = [];
  for (const [to, from] of chosen.entries()) {
    const beat = must(beats[from], 'a beat for each index');
    if (own[0]?.record !== beat.record) own = must(await readLeads(folder, beat.record, target), 'its leads');
    const cut = own.map((lead) => windows.cut(lead, beat.frame));
    writeWindows(cut, target, samples, to * size);
    positions[to] = beat.position;
    origins.push(beat.record);
  }
  return {
    kind: 'wfdb',
    name: folder,
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
      ...rateRemarks(leads, windows.rate, options.rate === undefined),
      ...labelRemarks,
      ...absentClasses(all, classNames, options.classFilter, folder),
    ],
    rate: windows.rate,
    peak: labelling.by === 'beat' ? windows.before : null,
    leads: leadCounts(leads),
    hash: hashSamples(samples, labels),
  };
}

/** The windows' labels as the network's classes; none for a network of another task. */
function labelsOf(beats: readonly Beat[], { by, names }: Labelling, options: DatasetOptions, folder: string) {
  const { task = 'single-label', contract, classes } = options;
  if (!hasClasses(task)) {
    const remark = `a ${by} of ${folder} is one class, which is not what a ${task} task needs: windows are without labels`;
    const classNames = contract?.classes ?? numberedClasses(classes);
    return { all: undefined, classNames, leftOut: [], labelRemarks: [remark] };
  }
  const map = LabelMap.named(options, names, folder);
  const { labels, leftOut } = map.apply(Int32Array.from(beats, (beat) => beat.label));
  return { all: labels, classNames: map.classNames, leftOut, labelRemarks: map.remarks };
}

async function survey(folder: string, target: SignalTarget, options: DatasetOptions): Promise<Survey> {
  const { length } = target;
  const passedOver = new PassedOverCount();
  const known = await listRecords(folder, passedOver);
  const records = chosenRecords(folder, known, options.records);
  const marks = await marksOf(folder, records, target, options.records !== undefined);
  const read = [...marks.values()];
  const all = read.some(({ peaks }) => peaks.length > 0)
    ? read
    : [...(await marksOf(folder, known, target, false)).values()];
  const labelling = labellingOf(read, all, options, folder);
  const listed = await listedPatients(folder, known);
  const rate = options.rate ?? DEFAULT_RATE;
  const windows = new BeatWindows(length, rate, labelling.by === 'rhythm' ? 0 : target.before);
  const beats: Beat[] = [];
  const leads: Omit<Lead, 'signal'>[][] = [];
  for (const [done, record] of records.entries()) {
    options.onProgress?.(done, records.length);
    const own = marks.get(record);
    if (!own) continue;
    const all = await readLeads(folder, record, target);
    if (!all) {
      lacksLeads(record, target, options, passedOver);
      continue;
    }
    leads.push(all.map(({ signal: _, ...facts }) => facts));
    const lead = must(all[0], 'a lead');
    const peaks =
      labelling.by === 'beat'
        ? beatsOf(own, lead, labelling, passedOver)
        : rhythmsOf(own, lead, windows, { names: labelling.names, step: stepOf(target) }, passedOver);
    // A window is whole if it is in every lead.
    const whole = all.reduce((left, one) => windows.whole(one, left, passedOver), peaks);
    const place = known.indexOf(record) * RECORD_STRIDE;
    const patient = listed.get(record) ?? patientOf(record, { rate: lead.rate, frames: lead.signal.length });
    for (const peak of options.splitBy ? whole : inSplit(whole, options.split)) {
      beats.push({ ...peak, record, patient, position: place + peak.annotation });
    }
  }
  options.onProgress?.(records.length, records.length);
  for (const record of records) {
    if (!marks.has(record)) passedOver.add('records without annotations (.atr)', record);
  }
  const remarks = [
    ...annotatorRemarks(marks, labelling),
    ...tellLabelling(
      labelling,
      length,
      read.some(({ peaks }) => peaks.length > 0),
    ),
  ];
  return { beats, leads, passedOver, labelling, windows, remarks };
}

/** The marks of the records that have any; in the order of the records. */
async function marksOf(
  folder: string,
  records: readonly string[],
  target: SignalTarget,
  isAsked: boolean,
): Promise<Map<string, Marks>> {
  const marks = new Map<string, Marks>();
  for (const name of records) {
    const { rate } = await openRecord(folder, name);
    const own = await readMarks(folder, name, rate);
    if (own) marks.set(name, own);
    else if (isAsked) throw withoutAnnotations(folder, name);
  }
  const [first] = records;
  if (first !== undefined && marks.size === 0) {
    // A record that is damaged too is told so first.
    await readLeads(folder, first, target);
    throw withoutAnnotations(folder, first);
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
  { peaks }: Marks,
  { record }: Lead,
  labelling: Labelling,
  passedOver: PassedOverCount,
): readonly Peak[] {
  if (peaks.length === 0) passedOver.add('records of which no annotation (.atr) marks a beat', record);
  const isBySymbol = labelling.by === 'beat' && labelling.symbols;
  return isBySymbol ? peaks.map((peak) => ({ ...peak, label: peak.symbol ?? 0 })) : peaks;
}

/** Samples from one segment to the next. */
function stepOf({ length, contract: { window } }: SignalTarget): number {
  return (window?.around === 'segment' ? window.step : undefined) ?? length;
}

/** Windows of one rhythm each. */
function rhythmsOf(
  { rhythms }: Marks,
  { record, rate, signal }: Lead,
  windows: BeatWindows,
  { names, step }: { readonly names: readonly string[]; readonly step: number },
  passedOver: PassedOverCount,
): readonly Peak[] {
  const length = (windows.length * rate) / windows.rate;
  const frames = (step * rate) / windows.rate;
  const { windows: found, before, mixed } = rhythmWindows(rhythms, signal.length, length, names, frames);
  if (before > 0) passedOver.add('windows before the first rhythm', record, before);
  if (mixed > 0) passedOver.add('windows in which the rhythm changes', record, mixed);
  return found;
}

/** Says where beats are from other files than .atr. */
function annotatorRemarks(marks: ReadonlyMap<string, Marks>, { by }: Labelling): string[] {
  if (by !== 'beat') return [];
  const others = new Map<string, string[]>();
  for (const [record, { annotator, peaks }] of marks) {
    if (annotator === 'atr' || peaks.length === 0) continue;
    others.set(annotator, [...(others.get(annotator) ?? []), record]);
  }
  return [...others].map(
    ([annotator, records]) =>
      `beats were read from .${annotator} where .atr marks none: ${records.length} of ${marks.size} records (${few(records)})`,
  );
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
      hint: `its records are ${known.join(', ')}`,
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

function leadCounts(leads: Survey['leads']): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { name } of leads.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

const FEW = 5;

function few(items: readonly string[]): string {
  return items.slice(0, FEW).join(', ') + (items.length > FEW ? ', ...' : '');
}

/** Says which records gave another lead than the first that is looked for. */
function leadRemarks(leads: Survey['leads'], { leads: wanted }: SignalTarget): string[] {
  return wanted.flatMap(([first], i) => {
    const others = leads.map((own) => own[i]).filter((lead) => lead?.isFallback);
    if (others.length === 0 || first === ANY) return [];
    const named = few(others.map((lead) => `${lead?.record} (${lead?.name})`));
    const instead = wanted.length === 1 ? 'their first one was' : 'others were';
    return [`${others.length} of ${leads.length} records have no lead ${first}; ${instead} taken: ${named}`];
  });
}

/** Says which records were resampled, and whether the rate that they were brought to is known or assumed. */
function rateRemarks(all: Survey['leads'], rate: number, isAssumed: boolean): string[] {
  const leads = all.map((own) => must(own[0], 'a lead'));
  const rates = [...new Set(leads.map((lead) => lead.rate))].sort((a, b) => a - b);
  if (rates.every((other) => other === rate)) return [];
  const told = rates.map((other) => {
    const records = leads.filter((lead) => lead.rate === other).map(({ record }) => record);
    return `${other} Hz (${few(records)})`;
  });
  const target = isAssumed
    ? `${rate} Hz, which is assumed as the network does not say its rate (--sampling-rate says another)`
    : `the network's ${rate} Hz`;
  const slowest = rates[0] ?? rate;
  const lacking = slowest < rate ? `; above ${slowest / 2} Hz the slowest hold nothing` : '';
  const what = rates.length === 1 ? 'records sampled at' : 'records differ in sampling rate:';
  return [`${what} ${told.join(', ')} were brought to ${target}${lacking}`];
}
