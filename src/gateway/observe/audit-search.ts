// Finds lines of an audit log, the newest first, without reading more of it than needed.
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type AuditLine, auditFiles } from './audit-log.ts';

/** What lines must be; what is absent may be anything. */
export interface AuditQuery {
  /** Milliseconds since 1970. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly event?: string | undefined;
  readonly caller?: string | undefined;
  readonly model?: string | undefined;
  /** `ok` for lines without an error, or the code of one. */
  readonly code?: string | undefined;
  /** Only lines before this one: for those that follow a page of results. */
  readonly before?: number | undefined;
}

/** A line and the file that it is in. */
export interface FoundLine {
  readonly file: string;
  readonly line: AuditLine;
}

/** Bytes that are read at a time, backwards. */
const CHUNK = 2 ** 18;

/** Milliseconds of a search: what was found by then is given. */
const MOST_MS = 3000;

/**
 * Lines of a log that fit, the newest first. What is no line of a log is passed over: `verifyAudit` finds it.
 * @param most lines
 * @throws if the folder cannot be read
 */
export async function searchAudit(
  folder: string,
  query: AuditQuery,
  most: number,
): Promise<{ readonly lines: readonly FoundLine[]; readonly read: number; readonly more: boolean }> {
  const lines: FoundLine[] = [];
  const until = performance.now() + MOST_MS;
  let read = 0;
  for (const file of (await auditFiles(folder)).reverse()) {
    const handle = await open(join(folder, file));
    try {
      for await (const text of linesBackwards(handle)) {
        const line = parsed(text);
        if (!line) continue;
        // Times go one way only.
        if (query.from !== undefined && Date.parse(line.time) < query.from)
          return { lines, read, more: false };
        if (lines.length >= most || performance.now() > until) return { lines, read, more: true };
        read++;
        if (fits(line, query)) lines.push({ file, line });
      }
    } finally {
      await handle.close();
    }
  }
  return { lines, read, more: false };
}

function fits(line: AuditLine, { from, to, event, caller, model, code, before }: AuditQuery): boolean {
  const time = Date.parse(line.time);
  return (
    (from === undefined || time >= from) &&
    (to === undefined || time <= to) &&
    (before === undefined || line.seq < before) &&
    (event === undefined || line.event === event) &&
    (caller === undefined || line.caller === caller) &&
    (model === undefined || line.model === model) &&
    (code === undefined || (line.error ?? 'ok') === code)
  );
}

function parsed(text: string): AuditLine | undefined {
  try {
    const line = JSON.parse(text) as AuditLine | null;
    return Number.isInteger(line?.seq) && typeof line?.time === 'string' ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Whole lines of a file, the last first; what follows the last line end is still being written. */
async function* linesBackwards(handle: FileHandle): AsyncGenerator<string> {
  let at = (await handle.stat()).size;
  let rest = Buffer.alloc(0);
  let isFirst = true;
  while (at > 0) {
    const size = Math.min(CHUNK, at);
    at -= size;
    const chunk = Buffer.alloc(size);
    await handle.read(chunk, 0, size, at);
    let text = Buffer.concat([chunk, rest]);
    if (isFirst) {
      const end = text.lastIndexOf(0x0a);
      if (end < 0) {
        rest = text;
        continue;
      }
      text = text.subarray(0, end);
      isFirst = false;
    }
    const begin = at === 0 ? -1 : text.indexOf(0x0a);
    if (at > 0 && begin < 0) {
      rest = text;
      continue;
    }
    rest = text.subarray(0, Math.max(0, begin));
    const whole = text
      .subarray(begin + 1)
      .toString()
      .split('\n');
    for (const line of whole.reverse()) if (line !== '') yield line;
  }
}
