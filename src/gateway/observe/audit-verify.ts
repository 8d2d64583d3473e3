// Checks an audit log: whether a line was changed, removed, put elsewhere or cut off.
import { join } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import {
  type AnchorStore,
  type AnchorValue,
  type AuditHead,
  EMPTY_HEAD,
  FileAnchor,
  isSignedAnchor,
} from './audit-anchor.ts';
import { ANCHOR_FILE, AUDIT_FILE, type AuditLine, auditFiles, auditLines, hashOfLine } from './audit-log.ts';
import { AuditKeys, signatureOf } from './audit-signing.ts';

/** The result of a check. */
export interface AuditCheck {
  readonly ok: boolean;
  /** Lines that were read. */
  readonly entries: number;
  /** Where the log is not what was written, first; absent where it is. */
  readonly firstBad?: { readonly file: string; readonly line: number; readonly reason: string };
  /** Whether a count and a hash kept apart were there to compare with: without them a cut tail does not show. */
  readonly anchored: boolean;
  /** Whether each line is signed by a key that was given; `unchecked` where lines are signed and no key was given. */
  readonly signatures: 'none' | 'valid' | 'unchecked';
}

/** What a log is compared with. */
export interface VerifyOptions {
  /** File of the anchor; default `anchor.json` in the folder. */
  readonly anchor?: string | undefined;
  /** Further places of the anchor, each of which must know this log. */
  readonly anchors?: readonly AnchorStore[] | undefined;
  /** Files of public keys: then each line, and each anchor, must be signed by one of them. */
  readonly publicKeys?: readonly string[] | undefined;
}

/**
 * Reads a log from its first line to its last, and compares it with its anchors.
 * @param options or the file of the anchor
 * @throws BedsideError E_FILE when the folder or a key cannot be read; E_AUDIT for an anchor that is none, or is not there
 */
export async function verifyAudit(folder: string, options: VerifyOptions | string = {}): Promise<AuditCheck> {
  const { anchor, anchors = [], publicKeys } = typeof options === 'string' ? { anchor: options } : options;
  const keys = publicKeys && (await AuditKeys.read(publicKeys));
  const own = new FileAnchor(anchor ?? join(folder, ANCHOR_FILE));
  const asked = [...(anchor === undefined ? [] : [own]), ...anchors];
  const kept: KeptAnchor[] = [];
  for (const store of new Set([own, ...anchors])) {
    const values = await store.read();
    if (values.length === 0 && asked.includes(store)) throw noAnchor(store.name);
    kept.push(...values.map((value) => ({ store, value })));
  }
  // After the anchors: the log may grow meanwhile.
  let names: string[];
  try {
    names = await auditFiles(folder);
  } catch (cause) {
    throw new BedsideError('E_FILE', `cannot read the folder ${folder}: ${messageOf(cause)}`, {
      hint: 'give the folder that `bedside serve --audit` wrote',
      cause,
    });
  }
  const walk = new Walk(folder, kept, keys);
  return await walk.check(names);
}

/** An anchor, and where it is kept. */
interface KeptAnchor {
  readonly store: AnchorStore;
  readonly value: AnchorValue;
}

/** One reading of a log. */
class Walk {
  readonly #folder: string;
  readonly #kept: readonly KeptAnchor[];
  readonly #keys: AuditKeys | undefined;
  #head: AuditHead = EMPTY_HEAD;
  #anySigned = false;

  constructor(folder: string, kept: readonly KeptAnchor[], keys: AuditKeys | undefined) {
    this.#folder = folder;
    this.#kept = kept;
    this.#keys = keys;
  }

  async check(names: readonly string[]): Promise<AuditCheck> {
    for (const { store, value } of this.#kept) {
      if (this.#keys && !isSignedAnchor(value, this.#keys)) {
        return this.#bad(names[0] ?? '', 1, `the anchor ${store.name} is not signed by a key that was given`);
      }
    }
    for (const name of names) {
      let line = 0;
      const named = Number(AUDIT_FILE.exec(name)?.[1]);
      if (named !== this.#head.count) {
        return this.#bad(name, 1, `the file begins with entry ${named}, expected ${this.#head.count}`);
      }
      for await (const text of auditLines(join(this.#folder, name))) {
        line++;
        const reason = this.#faultOf(text);
        if (reason !== undefined) return this.#bad(name, line, reason);
        this.#head = { count: this.#head.count + 1, hash: hashOfLine(text) };
        const other = this.#kept.find(
          ({ value }) => value.count === this.#head.count && value.hash !== this.#head.hash,
        );
        if (other) {
          return this.#bad(
            name,
            line,
            `the anchor ${other.store.name} has another hash for this line: the log was written anew`,
          );
        }
      }
    }
    // An anchor may be a moment older than the log, never newer.
    const { count } = this.#head;
    const newer = this.#kept.find(({ value }) => value.count > count);
    if (!newer) return { ok: true, entries: count, ...this.#about() };
    const missing = `${newer.value.count} entries: ${newer.value.count - count} are missing at the end`;
    return this.#bad(names.at(-1) ?? '', count, `the anchor ${newer.store.name} counts ${missing}`);
  }

  #about(): Pick<AuditCheck, 'anchored' | 'signatures'> {
    const signatures = this.#keys ? 'valid' : this.#anySigned ? 'unchecked' : 'none';
    return { anchored: this.#kept.length > 0, signatures };
  }

  #bad(file: string, line: number, reason: string): AuditCheck {
    const { signatures } = this.#about();
    return {
      ...{ ok: false, entries: this.#head.count, firstBad: { file, line: Math.max(1, line), reason } },
      ...{ anchored: this.#kept.length > 0, signatures: signatures === 'valid' ? 'unchecked' : signatures },
    };
  }

  /** What is wrong with a line after the ones before it; undefined for the right one. */
  #faultOf(text: string): string | undefined {
    let value: Partial<AuditLine> | null;
    try {
      value = JSON.parse(text) as Partial<AuditLine> | null;
    } catch {
      return 'it is not JSON';
    }
    if (value?.seq !== this.#head.count) return `its number is ${value?.seq}, expected ${this.#head.count}`;
    if (value.previous !== this.#head.hash)
      return 'the line before it is not the one that it was written after';
    const signed = signatureOf(text);
    if (signed) this.#anySigned = true;
    if (!this.#keys) return undefined;
    if (!signed) return 'it is not signed';
    return this.#keys.signed(signed.text, signed.signature)
      ? undefined
      : 'its signature is not that of a key that was given';
  }
}

function noAnchor(name: string): BedsideError {
  return new BedsideError('E_AUDIT', `there is no anchor at ${name}`, {
    hint: 'give the place that bedside serve --audit-anchor named, or leave it out',
  });
}
