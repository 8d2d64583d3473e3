// The audit log: one JSON line for each decision, each with the hash of the line before it. It holds hashes, never an input
// or an identifier of a patient.

import { constants, createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import { sha256Of } from '../../util/internal.ts';
import {
  type AnchorStore,
  type AnchorValue,
  type AuditHead,
  anchorOf,
  EMPTY_HEAD,
  FileAnchor,
} from './audit-anchor.ts';
import { type AuditSigner, signatureOf } from './audit-signing.ts';

/** One decision. */
export interface AuditRecord {
  /** `infer`, `explain`, `start`, `stop`, `freeze`, `unfreeze`, `floor` and the like. */
  readonly event: string;
  readonly caller?: string | undefined;
  readonly model?: string | undefined;
  /** Hash of the bundle, and of the result's scores; hexadecimal SHA-256. */
  readonly bundle?: string | undefined;
  readonly result?: string | undefined;
  readonly levels?: readonly number[] | undefined;
  readonly variant?: number | undefined;
  readonly solver?: string | undefined;
  /** SHA-256 of the policy's file, where a policy planned. */
  readonly policy?: string | undefined;
  readonly devices?: readonly string[] | undefined;
  readonly samples?: number | undefined;
  readonly fallback?: string | undefined;
  /** Of `freeze`: `plan` or `levels`. */
  readonly scope?: string | undefined;
  /** Of `floor`: what requests keep to that state none; `start` where it is as the gateway was started. */
  readonly floor?: number | 'start' | undefined;
  /** That of bedside, where a gateway starts. */
  readonly version?: string | undefined;
  /** Code of the error of a request that failed. */
  readonly error?: string | undefined;
  /** Seconds in the queue and on the devices. */
  readonly waited?: number | undefined;
  readonly computed?: number | undefined;
}

/** A line of the log. */
export interface AuditLine extends AuditRecord {
  /** From 0, through all files. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Hash of the line before; of the first one 64 zeros. */
  readonly previous: string;
}

/** Names of the log's files, in their order: `audit-000000000000.jsonl`, numbered by their first line. */
export const auditFile = (seq: number): string => `audit-${String(seq).padStart(12, '0')}.jsonl`;
export const AUDIT_FILE = /^audit-(\d{12})\.jsonl$/;

/** The name of the anchor in the folder of the log, unless the operator places it elsewhere. */
export const ANCHOR_FILE = 'anchor.json';

/** Bytes after which a new file is begun. */
const ROTATE_BYTES = 64 * 2 ** 20;

/** Seconds between two writes of the anchor; it is written at the end too. */
const ANCHOR_SECONDS = 1;

/** The files of a log, in their order. */
export async function auditFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => AUDIT_FILE.test(name)).sort();
}

/** SHA-256 of a line without its end, in hexadecimal. */
export function hashOfLine(line: string): string {
  return sha256Of(line);
}

/** Options of a log. */
export interface AuditOptions {
  /** File of the anchor; default `anchor.json` in the log's folder. Other media keep it when the folder is lost or rewritten. */
  readonly anchor?: string | undefined;
  /** Further places of the anchor. They may fail while the log is written; the next second tries again. */
  readonly anchors?: readonly AnchorStore[] | undefined;
  /** Signs every line, and the anchor. */
  readonly signer?: AuditSigner | undefined;
  /** Bytes after which a new file is begun; default 64 MiB. */
  readonly rotateBytes?: number | undefined;
  /** Told of a further place that cannot be written. */
  readonly onAnchorFailure?: ((store: string, error: unknown) => void) | undefined;
}

/** Appends lines, in order, each on the disk before `append` resolves. Lines that come together share one write. */
export class AuditLog {
  readonly #folder: string;
  readonly #options: AuditOptions;
  readonly #anchor: FileAnchor;
  #file: FileHandle;
  #bytes: number;
  #head: AuditHead;
  #waiting: {
    readonly record: AuditRecord;
    readonly done: () => void;
    readonly failed: (error: Error) => void;
  }[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;
  #anchored = Number.NEGATIVE_INFINITY;
  #anchoring: Promise<void> | undefined;
  #later: NodeJS.Timeout | undefined;

  private constructor(
    folder: string,
    options: AuditOptions,
    opened: { readonly file: FileHandle; readonly bytes: number; readonly head: AuditHead },
  ) {
    this.#folder = folder;
    this.#options = options;
    this.#anchor = new FileAnchor(options.anchor ?? join(folder, ANCHOR_FILE));
    this.#file = opened.file;
    this.#bytes = opened.bytes;
    this.#head = opened.head;
  }

  /**
   * Opens the log of a folder, which exists. A last line that a crash left unfinished is cut off.
   * @throws BedsideError E_OUTPUT when it cannot be written; E_AUDIT when its last line is no line of a log, when its
   * anchor knows another end, and when it is signed and there is no key, or the other way round
   */
  static async open(folder: string, options: AuditOptions = {}): Promise<AuditLog> {
    try {
      const last = (await auditFiles(folder)).at(-1) ?? auditFile(0);
      const path = join(folder, last);
      const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o600);
      const text = await readFile(path, 'utf8');
      const end = text.lastIndexOf('\n') + 1;
      const whole = text.slice(0, end);
      if (end < text.length) await file.truncate(Buffer.byteLength(whole));
      try {
        const head = headOf(whole, path, Number(AUDIT_FILE.exec(last)?.[1] ?? 0));
        assertSameSigning(whole, folder, options.signer);
        const stores = [
          new FileAnchor(options.anchor ?? join(folder, ANCHOR_FILE)),
          ...(options.anchors ?? []),
        ];
        for (const store of stores) await assertAnchored(folder, head, store);
        return new AuditLog(folder, options, { file, bytes: Buffer.byteLength(whole), head });
      } catch (error) {
        await file.close();
        throw error;
      }
    } catch (error) {
      if (BedsideError.is(error)) throw error;
      throw new BedsideError('E_OUTPUT', `the audit log cannot be kept in ${folder}: ${messageOf(error)}`, {
        hint: 'give a folder that is there and that this user may write to, with --audit',
        cause: error,
      });
    }
  }

  /** The newest line that is on the disk. */
  get head(): AuditHead {
    return this.#head;
  }

  /** Appends a record. @throws BedsideError E_OUTPUT when it cannot be written: then nothing may be answered */
  append(record: AuditRecord): Promise<void> {
    if (this.#closed) return Promise.reject(new BedsideError('E_OUTPUT', 'the audit log is closed'));
    const written = new Promise<void>((done, failed) => this.#waiting.push({ record, done, failed }));
    this.#writing ??= this.#write();
    return written;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    clearTimeout(this.#later);
    await this.#anchoring;
    await this.#writeAnchor();
    await this.#file.close();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.#append(batch.map(({ record }) => record));
        for (const { done } of batch) done();
      } catch (cause) {
        const error = new BedsideError('E_OUTPUT', `the audit log cannot be written: ${messageOf(cause)}`, {
          hint: 'free space for it; nothing is answered that is not in the log',
          cause,
        });
        for (const { failed } of batch) failed(error);
      }
    }
    // At once, not in a later turn: what is appended in between would wait for ever.
    this.#writing = undefined;
  }

  async #append(records: readonly AuditRecord[]): Promise<void> {
    let head = this.#head;
    let text = '';
    for (const record of records) {
      const line: AuditLine = {
        seq: head.count,
        time: new Date().toISOString(),
        previous: head.hash,
        ...record,
      };
      const plain = JSON.stringify(line);
      const json = this.#options.signer?.line(plain) ?? plain;
      text += `${json}\n`;
      head = { count: head.count + 1, hash: hashOfLine(json) };
    }
    if (this.#bytes > 0 && this.#bytes + text.length > (this.#options.rotateBytes ?? ROTATE_BYTES))
      await this.#rotate();
    const bytes = Buffer.from(text);
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    this.#bytes += bytes.byteLength;
    this.#head = head;
    this.#anchorSoon();
  }

  /** Writes the anchor now if the last time is long enough ago, otherwise when it is. */
  #anchorSoon(): void {
    if (this.#later || this.#anchoring) return;
    const left = this.#anchored + 1000 * ANCHOR_SECONDS - performance.now();
    const write = (): void => {
      this.#later = undefined;
      const { count } = this.#head;
      this.#anchoring = this.#writeAnchor().finally(() => {
        this.#anchoring = undefined;
        if (this.#head.count > count && !this.#closed) this.#anchorSoon();
      });
    };
    if (left <= 0) write();
    else this.#later = setTimeout(write, left).unref();
  }

  /** What cannot be written is told, and tried again with the next line. */
  async #writeAnchor(): Promise<void> {
    this.#anchored = performance.now();
    const value = anchorOf(this.#head, this.#options.signer);
    for (const store of [this.#anchor, ...(this.#options.anchors ?? [])]) {
      try {
        await store.write(value);
      } catch (error) {
        this.#options.onAnchorFailure?.(store.name, error);
      }
    }
  }

  async #rotate(): Promise<void> {
    await this.#file.close();
    const path = join(this.#folder, auditFile(this.#head.count));
    this.#file = await open(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_EXCL,
      0o600,
    );
    this.#bytes = 0;
  }
}

function headOf(text: string, path: string, first: number): AuditHead {
  const line = text.trimEnd().split('\n').at(-1);
  if (!line) return first === 0 ? EMPTY_HEAD : { count: first, hash: '' };
  try {
    const { seq } = JSON.parse(line) as AuditLine;
    if (Number.isInteger(seq)) return { count: seq + 1, hash: hashOfLine(line) };
  } catch {
    // Said below.
  }
  throw new BedsideError('E_AUDIT', `the last line of ${path} is no line of an audit log`, {
    hint: 'look with `bedside audit verify`, keep that folder, and begin another one',
  });
}

/** The whole lines of a file, without their ends. A last one without its end is being written, or was cut by a crash. */
export async function* auditLines(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8') as AsyncIterable<string>) {
    rest += chunk;
    if (!chunk.includes('\n')) continue;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** A log is signed from its first line on, or not at all: otherwise signatures could be left out. */
function assertSameSigning(text: string, folder: string, signer: AuditSigner | undefined): void {
  const line = text.trimEnd().split('\n').at(-1);
  if (!line) return;
  const isSigned = signatureOf(line) !== undefined;
  if (isSigned === (signer !== undefined)) return;
  throw new BedsideError('E_AUDIT', `the log in ${folder} is ${isSigned ? '' : 'not '}signed`, {
    hint: isSigned
      ? 'give its key, or begin a log in another folder'
      : 'begin a signed log in another folder',
  });
}

/** A log that lost its end, or was written anew, is not gone on with: its anchor would be lost. */
async function assertAnchored(folder: string, head: AuditHead, store: AnchorStore): Promise<void> {
  const kept = (await store.read()).at(-1);
  if (!kept || kept.count === 0) return;
  const found = kept.count === head.count ? head.hash : await hashAt(folder, kept);
  if (found === kept.hash) return;
  const what =
    kept.count > head.count
      ? `counts ${kept.count} entries, and ${head.count} are there`
      : 'has another hash';
  throw new BedsideError('E_AUDIT', `the anchor ${store.name} of the log in ${folder} ${what}`, {
    hint: 'look with bedside audit verify, keep log and anchor as they are, and begin another log',
  });
}

/** The hash of the line that an anchor names; undefined where there is no such line. */
async function hashAt(folder: string, { count }: AnchorValue): Promise<string | undefined> {
  const files = (await auditFiles(folder)).map((name) => ({
    name,
    first: Number(AUDIT_FILE.exec(name)?.[1]),
  }));
  const file = files.findLast(({ first }) => first < count);
  if (!file) return undefined;
  let seq = file.first;
  for await (const line of auditLines(join(folder, file.name))) if (++seq === count) return hashOfLine(line);
  return undefined;
}
