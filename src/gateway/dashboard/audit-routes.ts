// What the page Audit shows: lines of the log by time, caller, model and code, and whether the log is what was written.
import { BedsideError } from '../../util/index.ts';
import { type AuditQuery, searchAudit } from '../observe/audit-search.ts';
import { type AuditCheck, verifyAudit } from '../observe/audit-verify.ts';
import { type AddRoutes, type DashboardParts, sendValue } from './api.ts';
import type { AuditFound, AuditVerdict } from './wire-audit.ts';

/** Lines of one answer. */
const MOST_LINES = 200;

/** A check that meets a line which is just being written is made again so often. */
const ATTEMPTS = 3;

interface Search {
  Querystring: Readonly<Record<string, string | undefined>>;
}

/** `GET /api/audit?from=&to=&event=&caller=&model=&code=&before=`; `POST /api/audit/verify`. */
export const addAuditRoutes: AddRoutes = (app, { audit }) => {
  const look = { config: { role: 'admin' as const } };
  const kept = (): NonNullable<DashboardParts['audit']> => {
    if (audit) return audit;
    throw new BedsideError('E_NOT_FOUND', 'no audit log is kept', {
      hint: 'serve with --audit and a folder for it',
    });
  };
  let checking: Promise<AuditVerdict> | undefined;
  app.get<Search>('/api/audit', look, async ({ query }, reply) => {
    const { folder, log } = kept();
    const { lines, read, more } = await searchAudit(folder, queryOf(query), MOST_LINES);
    const { count: entries, hash: head } = log.head;
    const value: AuditFound = {
      lines: lines.map(({ file, line }) => ({ file, line: { ...line } })),
      ...{ read, more, entries, head },
    };
    return sendValue(reply, value);
  });
  app.post('/api/audit/verify', look, async (_request, reply) => {
    const own = kept();
    // The whole log is read: once for all who ask meanwhile.
    checking ??= verdictOf(own).finally(() => {
      checking = undefined;
    });
    return sendValue(reply, await checking);
  });
};

async function verdictOf({
  folder,
  anchor,
  anchors,
  log,
}: NonNullable<DashboardParts['audit']>): Promise<AuditVerdict> {
  const started = performance.now();
  let check: AuditCheck;
  let attempt = 0;
  do {
    const before = log.head.count;
    check = await verifyAudit(folder, { anchor, anchors });
    // Nothing was written meanwhile: what was found is in the log.
    if (check.ok || log.head.count === before) break;
  } while (++attempt < ATTEMPTS);
  const { ok, entries, anchored, firstBad } = check;
  const seconds = (performance.now() - started) / 1000;
  return { ok, entries, anchored, seconds, at: Date.now(), ...(firstBad ? { firstBad } : {}) };
}

/** @throws BedsideError E_REQUEST for a time or a number that is none */
function queryOf(query: Readonly<Record<string, string | undefined>>): AuditQuery {
  const number = (name: string): number | undefined => {
    const text = query[name];
    if (text === undefined || text === '') return undefined;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw new BedsideError('E_REQUEST', `\`${name}\` is not a whole number`);
  };
  const text = (name: string): string | undefined => {
    const value = query[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return {
    ...{ from: number('from'), to: number('to'), before: number('before') },
    ...{ event: text('event'), caller: text('caller'), model: text('model'), code: text('code') },
  };
}
