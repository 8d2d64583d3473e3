// Where the end of an audit log is remembered apart from it: a chain alone shows neither a cut end nor a full rewrite.
import { BedsideError, writeFileAtomic } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import type { AuditKeys, AuditSigner } from './audit-signing.ts';

/** Where the newest line is remembered apart from the log, so that a cut tail shows. */
export interface AuditHead {
  /** Lines in all files. */
  readonly count: number;
  /** Hash of the last line; 64 zeros where there is none. */
  readonly hash: string;
}

export const EMPTY_HEAD: AuditHead = { count: 0, hash: '0'.repeat(64) };

/** The end of a log as it is kept apart: how many lines, and the hash of the last one. */
export interface AnchorValue extends AuditHead {
  /** Of a signed log: Ed25519 over count and hash. */
  readonly signature?: string | undefined;
}

/** A place that keeps the end of a log. */
export interface AnchorStore {
  /** How messages call it. */
  readonly name: string;
  /** What it keeps, the newest last; empty where nothing is kept. @throws BedsideError when it cannot be read */
  read(): Promise<readonly AnchorValue[]>;
  /** @throws when it cannot be written */
  write(value: AnchorValue): Promise<void>;
}

/** An anchor in a file, best on other media. */
export class FileAnchor implements AnchorStore {
  readonly name: string;

  constructor(path: string) {
    this.name = path;
  }

  async read(): Promise<readonly AnchorValue[]> {
    let text: string;
    try {
      text = await readTextChecked(this.name, 'anchor');
    } catch (error) {
      const cause = (error as BedsideError).cause as NodeJS.ErrnoException | undefined;
      if (cause?.code === 'ENOENT') return [];
      throw error;
    }
    return [parseAnchor(text, this.name)];
  }

  async write(value: AnchorValue): Promise<void> {
    await writeFileAtomic(this.name, `${JSON.stringify(value)}\n`, 0o600);
  }
}

/** @throws BedsideError E_AUDIT for a text that is no anchor */
export function parseAnchor(text: string, name: string): AnchorValue {
  try {
    const { count, hash, signature } = JSON.parse(text) as AnchorValue;
    const whole = Number.isSafeInteger(count) && count >= 0;
    if (whole && typeof hash === 'string') {
      return { count, hash, ...(typeof signature === 'string' ? { signature } : {}) };
    }
  } catch {
    // Said below.
  }
  throw new BedsideError('E_AUDIT', `${name} is not an anchor of an audit log`, {
    hint: 'it is a JSON object of count and hash, which bedside serve writes',
  });
}

/** The end of a log as it is kept: signed where the log is. */
export function anchorOf({ count, hash }: AuditHead, signer: AuditSigner | undefined): AnchorValue {
  return { count, hash, ...(signer ? { signature: signer.text(anchorText({ count, hash })) } : {}) };
}

/** Whether one of the keys signed an anchor. */
export function isSignedAnchor(value: AnchorValue, keys: AuditKeys): boolean {
  return value.signature !== undefined && keys.signed(anchorText(value), value.signature);
}

function anchorText({ count, hash }: AuditHead): string {
  return `bedside audit anchor ${count} ${hash}`;
}
