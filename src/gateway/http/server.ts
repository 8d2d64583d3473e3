// The HTTP server: the Open Inference Protocol, version 2, with who may do what, metrics, and errors in one shape.
import type { ServerOptions as TlsOptions } from 'node:https';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PostedFile } from '../../app/index.ts';
import { BedsideError, VERSION } from '../../util/index.ts';
import { hashArrays } from '../../util/internal.ts';
import type { DashboardParts } from '../dashboard/api.ts';
import { callerOfPage } from '../dashboard/page-access.ts';
import { addDashboard } from '../dashboard/routes.ts';
import type { AuditLog } from '../observe/audit-log.ts';
import { recordOf } from '../observe/audit-record.ts';
import type { Metrics } from '../observe/metrics.ts';
import { RequestTrace } from '../observe/tracing.ts';
import { type InferRequest, readInferRequest } from '../protocol/infer-request.ts';
import { type ResponseBody, writeInferAnswer } from '../protocol/infer-response.ts';
import { problemOf } from '../protocol/problem.ts';
import type { Access } from '../security/access.ts';
import { assertRole, type Caller, type Role } from '../security/tokens.ts';
import { JoinedRequests } from '../service/joined-requests.ts';
import type { Served, ServedModel } from '../service/served-model.ts';
import { decompressed, jsonLength } from './body.ts';
import { modelOf, unprovenCaller } from './callers.ts';
import { addRefusals, assertHost, CHECK_MS, REQUEST_MS, refuseConnection } from './connections.ts';
import { countAnswer, keepFailure } from './decisions.ts';
import { openApi } from './open-api.ts';
import { fileRequest, type Query, queryScalars, rawFileOf } from './raw-file.ts';
import { addStreamRoute } from './stream-route.ts';

/** The parts that the server puts before the network. */
export interface ServerParts {
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly metrics: Metrics;
  readonly audit: AuditLog | undefined;
  /** Undefined: everybody may do everything (on this machine alone). */
  readonly tokens: Access | undefined;
  readonly tls: TlsOptions | undefined;
  /** Bytes of a body, before and after decompression. */
  readonly bodyLimit: number;
  /** Where the log goes, one JSON line for each request; undefined for none. Bodies are never logged. */
  readonly log: NodeJS.WritableStream | undefined;
  /** Undefined: there is no dashboard. */
  readonly dashboard: (DashboardParts & { readonly pages: string }) | undefined;
  /** Milliseconds that a sender has for a whole request; default 30 s. */
  readonly sendMs?: number | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed; absent: anybody may. */
    role?: Role;
  }
  interface FastifyRequest {
    caller: Caller;
  }
}

/** Seconds that answers are kept for requests that are sent twice under one id. */
const JOIN_SECONDS = 30;
const MOST_JOINED = 256;

/** Seconds after which a 503 may be tried again. */
const RETRY_SECONDS = 1;

const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(;|$)/;

interface ModelPath {
  Params: { name: string; version?: string };
  Querystring: Query;
}

/** Makes the server; it listens when it is told to. */
export async function createServer(parts: ServerParts): Promise<FastifyInstance> {
  const { fastify } = await import('fastify');
  const { sendMs = REQUEST_MS, tls } = parts;
  const checks = { connectionsCheckingInterval: Math.min(CHECK_MS, sendMs), requireHostHeader: false };
  const app = fastify({
    bodyLimit: parts.bodyLimit,
    ...(tls ? { https: { ...tls, ...checks } } : { http: checks }),
    clientErrorHandler: refuseConnection,
    logger: parts.log
      ? { stream: parts.log, redact: ['req.headers.authorization', 'req.headers.cookie'] }
      : false,
    requestTimeout: sendMs,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 256 },
    frameworkErrors: (error, _request, reply) => sendProblem(reply as never, error),
  }) as unknown as FastifyInstance;
  // Node's own limit for heads is a minute, and would win over ours.
  app.server.headersTimeout = sendMs;
  addRefusals(app.server);
  app.decorateRequest('caller', null as never);
  // Clients of the protocol name many content types, or none: the headers of the extension decide.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => {
    if (problemOf(error).status === 500) request.log.error(error);
    sendProblem(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const what = `${request.method} ${request.url.split('?')[0]?.slice(0, 200)}`;
    sendProblem(
      reply,
      new BedsideError('E_NOT_FOUND', `there is nothing at ${what}`, { hint: 'see /openapi.json' }),
    );
  });
  // A promise only where somebody has to prove who they are: otherwise nothing waits.
  app.addHook('onRequest', (request, _reply, done): unknown => {
    assertHost(request.raw);
    // Of no meaning to the protocol: one that is none is as if it were left out.
    if (!MEDIA_TYPE.test(request.headers['content-type'] ?? '')) delete request.headers['content-type'];
    const { role } = request.routeOptions.config;
    request.caller = unprovenCaller(request.socket);
    const page = parts.dashboard && callerOfPage(request, parts.dashboard);
    if (!parts.tokens || role === undefined) return done();
    return admit(request, role, page, parts.tokens);
  });
  addServerRoutes(app, parts);
  addModelRoutes(app, parts);
  addStreamRoute(app, parts);
  if (parts.dashboard) await addDashboard(app, parts.dashboard, parts.dashboard.pages);
  return app;
}

function addServerRoutes(app: FastifyInstance, { models, metrics }: ServerParts): void {
  const all = async (): Promise<boolean> => {
    const states = await Promise.all([...models.values()].map((model) => model.ready()));
    return states.length > 0 && states.every(Boolean);
  };
  app.get('/v2', (_request, reply) =>
    sendJson(reply, 200, { name: 'bedside', version: VERSION, extensions: ['binary_tensor_data'] }),
  );
  app.get('/v2/health/live', (_request, reply) => sendJson(reply, 200, { live: true }));
  app.get('/v2/health/ready', async (_request, reply) => {
    const ready = await all();
    return sendJson(reply, ready ? 200 : 503, { ready });
  });
  app.get('/metrics', { config: { role: 'metrics' } }, async (_request, reply) => {
    const { type, body } = await metrics.text();
    return reply.header('content-type', type).send(body);
  });
  app.get('/openapi.json', (_request, reply) => sendJson(reply, 200, openApi()));
}

function addModelRoutes(app: FastifyInstance, parts: ServerParts): void {
  const { models } = parts;
  const joined = new JoinedRequests<Served>(JOIN_SECONDS, MOST_JOINED);
  for (const base of ['/v2/models/:name', '/v2/models/:name/versions/:version']) {
    app.get<ModelPath>(base, ({ params }, reply) => sendJson(reply, 200, modelOf(models, params).metadata));
    app.get<ModelPath>(`${base}/ready`, async ({ params }, reply) => {
      const { name } = modelOf(models, params);
      const ready = await modelOf(models, params).ready();
      return sendJson(reply, ready ? 200 : 503, { name, ready });
    });
    app.get<ModelPath>(`${base}/plan`, { config: { role: 'infer' } }, async ({ params, query }, reply) => {
      const model = modelOf(models, params);
      return sendJson(reply, 200, { model: model.name, plan: await model.preview(queryScalars(query)) });
    });
    app.post<ModelPath>(`${base}/infer`, { config: { role: 'infer' } }, (request, reply) =>
      answer(parts, joined, request, reply, false),
    );
    app.post<ModelPath>(`${base}/explain`, { config: { role: 'explain' } }, (request, reply) =>
      answer(parts, joined, request, reply, true),
    );
  }
}

/** Answers an inference request, and keeps what was decided. */
async function answer(
  parts: ServerParts,
  joined: JoinedRequests<Served>,
  request: FastifyRequest<ModelPath>,
  reply: FastifyReply,
  explain: boolean,
): Promise<FastifyReply> {
  const { models, metrics, bodyLimit } = parts;
  const started = performance.now();
  const model = modelOf(models, request.params);
  const kind = explain ? 'explain' : 'infer';
  const decision = { model, kind, caller: request.caller.name, started } as const;
  const span = new RequestTrace(kind, model.name, request.headers);
  const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  try {
    const body = await decompressed(raw, request.headers['content-encoding'], bodyLimit);
    const asked = readRequest(request, body, explain);
    if (asked.parameters.explain === true) assertRole(request.caller, 'explain');
    const run = async (signal: AbortSignal): Promise<Served> => {
      const served =
        'inputs' in asked
          ? await model.infer(asked, signal, span.traceparent)
          : await model.inferFile(asked.file, asked, signal, bodyLimit, span.traceparent);
      await parts.audit?.append(recordOf(kind, request.caller.name, model, served));
      return served;
    };
    const gone = hangUp(reply);
    const { id } = asked;
    // The content is hashed only where a twin could come.
    const content = (): string => `${explain}${hashArrays(body)}${'file' in asked ? request.url : ''}`;
    const key = `${request.caller.name} ${model.version} ${id}`;
    const served = await (id === undefined ? run(gone) : joined.join(key, content(), gone, run).answer);
    const written = writeInferAnswer(served.answer, asked.outputs, asked.binary);
    sendAnswer(reply, written);
    // The sender need not wait until it is counted.
    countAnswer(parts, decision, served);
    span.answered(served);
    metrics.moved('in', raw.byteLength);
    metrics.moved('out', written.body.byteLength);
    return reply;
  } catch (error) {
    metrics.moved('in', raw.byteLength);
    span.failed(error);
    await keepFailure(parts, decision, error);
    throw error;
  }
}

function sendAnswer(reply: FastifyReply, { body, jsonBytes }: ResponseBody): void {
  if (jsonBytes === undefined) void reply.header('content-type', 'application/json').send(body);
  else {
    void reply
      .header('content-type', 'application/octet-stream')
      .header('inference-header-content-length', String(jsonBytes))
      .send(body);
  }
}

/** A request of the protocol, or a file with its parameters. @throws BedsideError E_REQUEST */
function readRequest(
  { headers, query }: FastifyRequest<ModelPath>,
  body: Buffer,
  explain: boolean,
): InferRequest | (Omit<InferRequest, 'inputs'> & { readonly file: PostedFile }) {
  const raw = rawFileOf(headers, query);
  const read = raw
    ? { ...fileRequest(raw, body, query), file: { bytes: body, name: raw.name } }
    : readInferRequest(body, jsonLength(headers['inference-header-content-length']));
  return explain ? { ...read, parameters: { ...read.parameters, explain: true } } : read;
}

/** @param page the caller of a page's session @throws BedsideError E_AUTH, E_FORBIDDEN */
async function admit(
  request: FastifyRequest,
  role: Role,
  page: Caller | undefined,
  tokens: Access,
): Promise<void> {
  request.caller = page ?? (await tokens.callerOf(request.headers.authorization));
  assertRole(request.caller, role);
}

/** A signal that says that the sender has gone before its answer. */
function hangUp(reply: FastifyReply): AbortSignal {
  const control = new AbortController();
  reply.raw.on('close', () => {
    if (!reply.raw.writableEnded) control.abort();
  });
  return control.signal;
}

function sendProblem(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body } = problemOf(error);
  if (status === 503) void reply.header('retry-after', String(RETRY_SECONDS));
  if (status === 401) void reply.header('www-authenticate', 'Bearer');
  return sendJson(reply, status, body);
}

/** As bytes: a text would get a charset that known clients do not expect. */
function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .send(Buffer.from(JSON.stringify(body)));
}
