// A client of DICOMweb (DICOM PS3.18): finds studies and instances (QIDO-RS), fetches instances (WADO-RS), stores objects
// (STOW-RS). No message repeats an identifier or what the archive says.
import { BedsideError, type ErrorCode } from '../../util/index.ts';
import { type Answered, ask, checkedUrl, hostOf, type ServerAccess } from '../deliver/ask.ts';
import type { DicomObject } from '../dicom/report.ts';
import { isUid } from '../dicom/uid.ts';
import { readMultipart, writeMultipart } from './multipart.ts';

/** A study that an archive has. */
export interface FoundStudy {
  readonly studyUid: string;
  /** Instances that it has now; undefined where the archive does not say. */
  readonly instances: number | undefined;
}

/** An instance of a study. */
export interface FoundInstance {
  readonly seriesUid: string;
  readonly instanceUid: string;
  readonly sopClass: string;
  readonly modality: string;
  readonly bodyPart: string;
  readonly seriesDescription: string;
  readonly seriesNumber: number;
  readonly instanceNumber: number;
}

/** Which studies are found. */
export interface StudyFilter {
  /** Of any of its series, such as `DX`. */
  readonly modality?: string | undefined;
  /** A day or a range, as `20260301-20260302`. */
  readonly studyDate?: string | undefined;
}

const TIMEOUT = 60;
/** Studies or instances of one request. */
const PAGE = 200;
const MOST_PAGES = 500;
const MOST_LIST = 64 * 2 ** 20;
/** Bytes of one instance. */
const MOST_INSTANCE = 512 * 2 ** 20;

/** An archive. */
export class DicomWeb {
  readonly #access: ServerAccess;
  readonly #base: string;

  /** @throws BedsideError E_USAGE for an address that is none, holds a password, or is plain HTTP to another machine */
  constructor(access: ServerAccess) {
    this.#access = access;
    this.#base = checkedUrl(access, 'DICOMweb archive');
  }

  /** Studies that it has. @throws BedsideError E_FABRIC, E_AUTH, E_FORBIDDEN, E_NOT_FOUND, E_DATA, E_TOO_LARGE */
  async studies({ modality, studyDate }: StudyFilter = {}, signal?: AbortSignal): Promise<FoundStudy[]> {
    const query = {
      ...(modality === undefined ? {} : { ModalitiesInStudy: modality }),
      ...(studyDate === undefined ? {} : { StudyDate: studyDate }),
    };
    const found = await this.#all('/studies', query, ['00201208'], signal);
    return found.map((own) => ({ studyUid: uidIn(own, '0020000D'), instances: numberIn(own, '00201208') }));
  }

  /** Instances of a study. @throws BedsideError as `studies` */
  async instances(studyUid: string, signal?: AbortSignal): Promise<FoundInstance[]> {
    const fields = ['00080060', '00180015', '0008103E', '00200011', '00200013', '00080016'];
    const found = await this.#all(`/studies/${checked(studyUid)}/instances`, {}, fields, signal);
    return found.map((own) => ({
      ...{ seriesUid: uidIn(own, '0020000E'), instanceUid: uidIn(own, '00080018') },
      ...{ sopClass: textIn(own, '00080016'), modality: textIn(own, '00080060') },
      ...{ bodyPart: textIn(own, '00180015'), seriesDescription: textIn(own, '0008103E') },
      ...{ seriesNumber: numberIn(own, '00200011') ?? 0, instanceNumber: numberIn(own, '00200013') ?? 0 },
    }));
  }

  /** The file of an instance. @throws BedsideError as `studies` */
  async retrieve(studyUid: string, own: FoundInstance, signal?: AbortSignal): Promise<Uint8Array> {
    const { seriesUid, instanceUid } = own;
    const path = `/studies/${checked(studyUid)}/series/${checked(seriesUid)}/instances/${checked(instanceUid)}`;
    // The transfer syntax as it is stored: nothing is lost.
    const accept = 'multipart/related; type="application/dicom"; transfer-syntax=*';
    const { headers, body } = await this.#ask('GET', path, { accept }, undefined, MOST_INSTANCE, signal);
    const [first, ...more] = readMultipart(body, headers['content-type'] ?? '');
    if (first && more.length === 0) return first;
    throw new BedsideError('E_DATA', `${hostOf(this.#base)} answered ${more.length + 1} objects, not one`);
  }

  /**
   * Stores objects in their study, in this order.
   * @throws BedsideError as `studies`; E_FABRIC where it stored not all of them
   */
  async store(studyUid: string, objects: readonly DicomObject[], signal?: AbortSignal): Promise<void> {
    const { body, type } = writeMultipart(objects.map(({ bytes }) => bytes));
    const headers = { accept: 'application/dicom+json', 'content-type': type };
    const path = `/studies/${checked(studyUid)}`;
    const answer = await this.#ask('POST', path, headers, body, MOST_LIST, signal);
    const [said] = listOf(answer, this.#base);
    const failed = said?.['00081198']?.Value?.length ?? 0;
    const stored = said?.['00081199']?.Value?.length ?? 0;
    if (failed === 0 && stored >= objects.length) return;
    throw new BedsideError(
      'E_FABRIC',
      `${hostOf(this.#base)} stored ${stored} of ${objects.length} objects`,
      {
        hint: 'its log says why it refused the others',
      },
    );
  }

  /** All pages of a search. */
  async #all(
    path: string,
    query: Readonly<Record<string, string>>,
    fields: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Tags[]> {
    const found: Tags[] = [];
    for (let page = 0; page < MOST_PAGES; page++) {
      const own = new URLSearchParams(query);
      for (const field of fields) own.append('includefield', field);
      own.set('limit', String(PAGE));
      own.set('offset', String(page * PAGE));
      const headers = { accept: 'application/dicom+json' };
      const answer = await this.#ask('GET', `${path}?${own}`, headers, undefined, MOST_LIST, signal);
      const list = answer.status === 204 ? [] : listOf(answer, this.#base);
      found.push(...list);
      if (list.length < PAGE) return found;
    }
    throw new BedsideError(
      'E_TOO_LARGE',
      `${hostOf(this.#base)} has more than ${PAGE * MOST_PAGES} of what was searched`,
      {
        hint: 'search by study date or modality',
      },
    );
  }

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    most: number,
    signal: AbortSignal | undefined,
  ): Promise<Answered> {
    const asked = { method, path, headers, body, most, signal, timeout: TIMEOUT };
    const answer = await ask(this.#access, this.#base, asked);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const codes: Readonly<Record<number, ErrorCode>> = {
      401: 'E_AUTH',
      403: 'E_FORBIDDEN',
      404: 'E_NOT_FOUND',
    };
    throw new BedsideError(
      codes[answer.status] ?? 'E_FABRIC',
      `${hostOf(this.#base)} answered ${answer.status}`,
      {
        hint: 'check the address of its DICOMweb service, and what the token or password allows; its log says more',
      },
    );
  }
}

/** Attributes in the JSON of DICOM (PS3.18 F.2). */
type Tags = Readonly<Record<string, { readonly Value?: readonly unknown[] } | undefined>>;

function listOf({ body }: Answered, base: string): Tags[] {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    const list = Array.isArray(value) ? value : [value];
    if (list.every((own) => typeof own === 'object' && own !== null)) return list as Tags[];
  } catch {
    // The text may hold identifiers: it is not repeated.
  }
  throw new BedsideError('E_DATA', `${hostOf(base)} answered what is not the JSON of DICOM`, {
    hint: 'is the address that of its DICOMweb service, such as http://127.0.0.1:8042/dicom-web?',
  });
}

function uidIn(tags: Tags, tag: string): string {
  const value = tags[tag]?.Value?.[0];
  return checked(value);
}

/** A UID that may become part of a path. @throws BedsideError E_DATA */
function checked(uid: unknown): string {
  if (isUid(uid)) return uid;
  throw new BedsideError('E_DATA', 'the archive names an object by what is no UID');
}

function textIn(tags: Tags, tag: string): string {
  const value = tags[tag]?.Value?.[0];
  return typeof value === 'string' ? value : '';
}

function numberIn(tags: Tags, tag: string): number | undefined {
  const value = tags[tag]?.Value?.[0];
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
