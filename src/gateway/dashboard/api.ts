// What all paths of the dashboard share: JSON in and out, and the parts that they show.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Outlook } from '../../app/index.ts';
import { BedsideError } from '../../util/index.ts';
import { isRecord } from '../../util/internal.ts';
import type { AuditLog } from '../observe/audit-log.ts';
import type { OpenedAudit } from '../observe/open-audit.ts';
import type { Access } from '../security/access.ts';
import type { RequestOrigin, Sessions } from '../security/sessions.ts';
import type { ExplainDesk } from '../service/explain-desk.ts';
import type { PolicyDesk } from '../service/policy-desk.ts';
import type { RequestHistory } from '../service/request-history.ts';
import type { ServedModel } from '../service/served-model.ts';
import type { WardWatch } from '../service/ward-watch.ts';
import type { EventHub } from './event-hub.ts';

/** What the dashboard shows. */
export interface DashboardParts {
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly hub: EventHub;
  /** Paths of the demo alone; undefined in every other gateway. */
  readonly demo?: AddRoutes | undefined;
  /** Decisions about plans, by model. */
  readonly desks: ReadonlyMap<string, PolicyDesk>;
  /** Explanations for pages, by model. */
  readonly explainers: ReadonlyMap<string, ExplainDesk>;
  /** The audit log, which explanations go into. */
  readonly log: AuditLog | undefined;
  /** Bytes of a body, before and after decompression. */
  readonly bodyLimit: number;
  readonly ward: WardWatch;
  readonly history: RequestHistory;
  /** Compares plans, in a thread of its own. */
  readonly outlook: Outlook;
  readonly sessions: Sessions;
  /** Undefined: no signing in is needed. */
  readonly tokens: Access | undefined;
  /** Whether everybody may do everything because nobody but this machine can ask. */
  readonly ownMachineOnly: boolean;
  /** The audit log, and where its end is remembered; undefined where none is kept. */
  readonly audit: OpenedAudit | undefined;
}

/** Adds paths to the server. */
export type AddRoutes = (app: FastifyInstance, parts: DashboardParts) => void;

/** Sends a value as JSON that no cache keeps. */
export function sendValue(reply: FastifyReply, value: unknown): FastifyReply {
  return reply
    .headers({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    .send(Buffer.from(JSON.stringify(value)));
}

/** The JSON object that a page sent. @throws BedsideError E_REQUEST */
export function objectOf(request: FastifyRequest): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.isBuffer(request.body) ? request.body.toString() : '');
    if (isRecord(value)) return value;
  } catch {
    // Said below.
  }
  throw new BedsideError('E_REQUEST', 'the body is not a JSON object');
}

/** The model that a path names. @throws BedsideError E_NOT_FOUND */
export function modelNamed(models: ReadonlyMap<string, ServedModel>, name: string): ServedModel {
  const model = models.get(name);
  if (model) return model;
  throw new BedsideError('E_NOT_FOUND', `there is no model '${name.slice(0, 100)}'`, {
    hint: `served: ${[...models.keys()].join(', ')}`,
  });
}

/** Where a request comes from, for cookies and their protection. */
export function originOf(request: FastifyRequest): RequestOrigin {
  return {
    method: request.method,
    headers: request.headers,
    secure: request.protocol === 'https',
    port: request.raw.socket.localPort,
  };
}
