// Checks an audit log: whether a line was changed, removed, put elsewhere or cut off.
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { BedsideError, messageOf } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import {
  ANCHOR_FILE,
  AUDIT_FILE,
  type AuditHead,
  type AuditLine,
  auditFiles,
  EMPTY_HEAD,
  hashOfLine,
} from './audit-log.ts';

/** The result of a check. */
export interface AuditCheck {
  readonly ok: boolean;
  /** Lines that were read. */
  readonly entries: number;
  /** Where the log is not what was written, first; absent where it is. */
  readonly firstBad?: { readonly file: string; readonly line: number; readonly reason: string };
  /** Whether a count and a hash kept apart were there to compare with: without them a cut tail does not show. */
  readonly anchored: boolean;
}

/**
 * Reads a log from its first line to its last, and compares it with its anchor.
 * @param anchor file of the anchor; default `anchor.json` in the folder
 * @throws BedsideError E_FILE when the folder cannot be read
 */
export async function verifyAudit(folder: string, anchor?: string): Promise<AuditCheck> {
  let names: string[];
  try {
    names = await auditFiles(folder);
  } catch (cause) {
    throw new BedsideError('E_FILE', `cannot read the folder ${folder}: ${messageOf(cause)}`, {
      hint: 'give the folder that `bedside serve --audit` wrote',
      cause,
    });
  }
  const kept = await readAnchor(anchor ?? join(folder, ANCHOR_FILE), anchor !== undefined);
  const anchored = kept !== undefined;
  let head = EMPTY_HEAD;
  for (const name of names) {
    let line = 0;
    const bad = (reason: string): AuditCheck => {
      return {
        ok: false,
        entries: head.count,
        firstBad: { file: name, line: Math.max(1, line), reason },
        anchored,
      };
    };
    const named = Number(AUDIT_FILE.exec(name)?.[1]);
    if (named !== head.count) return bad(`the file begins with entry ${named}, expected ${head.count}`);
    for await (const text of linesOf(join(folder, name))) {
      line++;
      const reason = faultOf(text, head);
      if (reason !== undefined) return bad(reason);
      head = { count: head.count + 1, hash: hashOfLine(text) };
      if (kept?.count === head.count && kept.hash !== head.hash) {
        return bad('the anchor has another hash for this line: the log was written anew');
      }
    }
  }
  // The anchor may be a moment older than the log, never newer.
  if (!kept || kept.count <= head.count) return { ok: true, entries: head.count, anchored };
  const reason = `the anchor counts ${kept.count} entries: ${kept.count - head.count} are missing at the end`;
  return {
    ok: false,
    entries: head.count,
    firstBad: { file: names.at(-1) ?? '', line: head.count, reason },
    anchored,
  };
}

/** What is wrong with a line after this head; undefined for the right one. */
function faultOf(text: string, head: AuditHead): string | undefined {
  let value: Partial<AuditLine>;
  try {
    value = JSON.parse(text) as Partial<AuditLine>;
  } catch {
    return 'it is not JSON';
  }
  if (value?.seq !== head.count) return `its number is ${value?.seq}, expected ${head.count}`;
  if (value.previous !== head.hash) return 'the line before it is not the one that it was written after';
  return undefined;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: 0 });
  for await (const line of lines) yield line;
}

async function readAnchor(path: string, isWanted: boolean): Promise<AuditHead | undefined> {
  try {
    const { count, hash } = JSON.parse(await readTextChecked(path, 'anchor')) as AuditHead;
    if (Number.isInteger(count) && typeof hash === 'string') return { count, hash };
  } catch (error) {
    if (!isWanted && BedsideError.is(error, 'E_FILE')) return undefined;
    if (BedsideError.is(error)) throw error;
  }
  throw new BedsideError('E_AUDIT', `${path} is not an anchor of an audit log`);
}
