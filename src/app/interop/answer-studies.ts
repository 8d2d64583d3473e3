// An archive of studies: those that it has, or those that arrive, are answered, each once.
import { setTimeout as sleep } from 'node:timers/promises';
import { DicomWeb, type ServerAccess } from '../../interop/index.ts';
import type { FoundStudy } from '../../interop/internal.ts';
import { BedsideError, type ErrorCode } from '../../util/index.ts';
import { sha256Of } from '../../util/internal.ts';
import type { BundleSource } from '../bundle/bundle-levels.ts';
import { loadBundle } from '../bundle/open-bundle.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { answerStudy, type ImageChoice, type StudyTools } from './answer-study.ts';
import type { ImageAnswerer } from './answerer.ts';
import { GatewayAnswerer } from './gateway-answerer.ts';
import { LocalAnswerer } from './local-answerer.ts';
import { type DeliveryStates, openOutlets, type ResultTargets } from './outlets.ts';

/** What is answered, by whom, and where answers go beside the archive. */
export interface StudiesOptions extends ImageChoice, ResultTargets {
  /** The address of the archive's DICOMweb service, and how it is asked. */
  readonly archive: ServerAccess;
  /** Studies of this day or range, as `20260301-20260302`; default all. */
  readonly studyDate?: string | undefined;
  /** A gateway that serves the bundle; default the bundle in this process. */
  readonly gateway?: ServerAccess | undefined;
  /** In this process: the level of each group; default the unpruned network. */
  readonly levels?: readonly number[] | undefined;
  /** Whether heat maps are stored beside the report; default true. */
  readonly heatMaps?: boolean | undefined;
  /** Goes on until the signal: studies that arrive are answered once they no longer grow. */
  readonly watch?: boolean | undefined;
  /** Seconds between looks; default 10. */
  readonly interval?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each look, with the figures so far. */
  readonly onLook?: ((figures: StudyFigures) => void) | undefined;
}

/** Counts of studies. */
export interface StudyFigures {
  readonly studies: number;
  readonly answered: number;
  /** That the archive had a report of already. */
  readonly already: number;
  /** Without an image that is chosen. */
  readonly passedOver: number;
  /** That could not be answered, by the code of the reason. */
  readonly failed: Readonly<Partial<Record<ErrorCode, number>>>;
  readonly images: number;
  readonly heatMaps: number;
}

/** What was answered. */
export interface StudiesResult extends StudyFigures, Said, DeliveryStates {
  readonly bundle: string;
}

/** What is known of a study: the instances that it had, and whether it is settled. */
interface Known {
  instances: number | undefined;
  outcome: 'growing' | 'settled';
  failed?: ErrorCode;
}

/** Seconds that deliveries may still take at the end. */
const FLUSH_SECONDS = 10;
/** Reasons that lie outside a study: it is tried again at the next look. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...([
    'E_FABRIC',
    'E_BUSY',
    'E_AUTH',
    'E_FORBIDDEN',
    'E_LOST',
    'E_DEADLINE',
    'E_DEVICE',
    'E_OUTPUT',
  ] as const),
]);

/**
 * Answers the studies of an archive. What was answered is found in the archive itself, so a new run, also after a kill, answers
 * no study twice.
 * @throws BedsideError as `openBundle`; E_USAGE for addresses; E_UNSUPPORTED for a bundle that reads no images, or without dcmjs;
 *   without `watch` also E_FABRIC, E_AUTH, E_FORBIDDEN, E_NOT_FOUND where the archive cannot be searched
 */
export async function answerStudies(
  source: BundleSource,
  options: StudiesOptions,
  reporter?: Reporter | Journal,
): Promise<StudiesResult> {
  const journal = journalOf(reporter);
  const bundle = await loadBundle(source, journal);
  const archive = new DicomWeb(options.archive);
  await using answerer: ImageAnswerer = options.gateway
    ? await GatewayAnswerer.open(bundle, options.gateway)
    : await LocalAnswerer.open(bundle, options.levels);
  await using outlets = await openOutlets(options, (text) => journal.note(text));
  const signal = options.signal ?? new AbortController().signal;
  const tools = { archive, answerer, choice: options, heatMaps: options.heatMaps ?? true, outlets, signal };
  if (answerer.form.classNames === undefined)
    journal.remark(
      'the bundle has no names of its answers: reports call them by number, such as class 0; pack it with --labels',
    );
  const desk = new StudyDesk(tools, options, journal);
  await desk.run();
  const states = await outlets.flush(FLUSH_SECONDS);
  const forms = [...(states.fhir ? ['FHIR'] : []), ...(states.hl7 ? ['HL7 v2'] : [])];
  if (forms.length > 0)
    journal.remark(`no patient is named in ${forms.join(' and ')}: only the archive knows whose a study is`);
  return { bundle: bundle.manifest.name, ...desk.figures, ...states, ...journal.said() };
}

/** Looks into the archive, and answers what it finds. */
class StudyDesk {
  readonly #tools: StudyTools;
  readonly #options: StudiesOptions;
  readonly #journal: Journal;
  readonly #known = new Map<string, Known>();
  readonly #counts = { answered: 0, already: 0, passedOver: 0, images: 0, heatMaps: 0 };

  constructor(tools: StudyTools, options: StudiesOptions, journal: Journal) {
    this.#tools = tools;
    this.#options = options;
    this.#journal = journal;
  }

  get figures(): StudyFigures {
    const failed: Partial<Record<ErrorCode, number>> = {};
    for (const { failed: code } of this.#known.values()) if (code) failed[code] = (failed[code] ?? 0) + 1;
    return { studies: this.#known.size, ...this.#counts, failed };
  }

  async run(): Promise<void> {
    const { watch = false, interval = 10, onLook } = this.#options;
    const { signal } = this.#tools;
    do {
      try {
        await this.#look(watch);
      } catch (error) {
        if (signal.aborted) return;
        if (!watch || !BedsideError.is(error)) throw error;
        this.#journal.note(`the archive cannot be searched, and is asked again: ${error.message}`);
      }
      onLook?.(this.figures);
      if (watch) await sleep(1000 * interval, undefined, { signal }).catch(() => {});
    } while (watch && !signal.aborted);
  }

  async #look(watch: boolean): Promise<void> {
    const { archive, signal } = this.#tools;
    const { modality, studyDate } = this.#options;
    const found = await archive.studies({ modality, studyDate }, signal);
    const due = found.filter((study) => this.#isDue(study, watch));
    let done = 0;
    await this.#journal.during('answering studies', async (progress) => {
      for (const { studyUid } of due) {
        if (signal.aborted) return;
        await this.#answer(studyUid);
        progress.update(++done, due.length);
      }
    });
  }

  /** Whether a study is answered at this look: not yet settled, and no longer growing where more may come. */
  #isDue({ studyUid, instances }: FoundStudy, watch: boolean): boolean {
    const known = this.#known.get(studyUid);
    if (!known) {
      this.#known.set(studyUid, { instances, outcome: 'growing' });
      return !watch;
    }
    const grew = known.instances !== instances;
    known.instances = instances;
    // A study that failed is tried again when it has more; one that is answered is not.
    if (known.outcome === 'settled') {
      if (grew && known.failed !== undefined) known.outcome = 'growing';
      return false;
    }
    return !grew;
  }

  async #answer(studyUid: string): Promise<void> {
    const known = this.#known.get(studyUid) ?? { instances: undefined, outcome: 'growing' };
    // Of no use to who does not have the identifier already.
    const name = `study ${sha256Of(studyUid).slice(0, 12)}`;
    try {
      const outcome = await answerStudy(studyUid, this.#tools);
      known.outcome = 'settled';
      delete known.failed;
      if (outcome.kind === 'answered') {
        this.#counts.answered++;
        this.#counts.images += outcome.images;
        this.#counts.heatMaps += outcome.heatMaps;
      } else if (outcome.kind === 'already') this.#counts.already++;
      else this.#counts.passedOver++;
      this.#journal.note(`${name}: ${outcome.kind}`);
    } catch (error) {
      if (this.#tools.signal.aborted) return;
      if (!BedsideError.is(error)) throw error;
      known.failed = error.code;
      if (!PASSING.has(error.code)) known.outcome = 'settled';
      this.#journal.note(`${name}: ${error.message} (${error.code})`);
    }
  }
}
