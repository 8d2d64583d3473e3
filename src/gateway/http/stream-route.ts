// `/v2/models/NAME[/versions/V]/stream`: a WebSocket through which a monitor sends raw samples of beds, and gets the answers
// to their heartbeats. Who may, TLS, queue, metrics and audit log are those of `infer`.
import { setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Answerer, type Scored, SignalSession, type SignalSessionOptions } from '../../app/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { loadOptional } from '../../util/internal.ts';
import { recordOf } from '../observe/audit-record.ts';
import type { InferRequest, Scalar } from '../protocol/infer-request.ts';
import type { Access } from '../security/access.ts';
import { assertRole, type Caller } from '../security/tokens.ts';
import { readChoice } from '../service/request-choice.ts';
import type { Served, ServedModel } from '../service/served-model.ts';
import { modelOf, unprovenCaller } from './callers.ts';
import { assertHost, handBack, refuseUpgrade } from './connections.ts';
import { countAnswer, type DecisionParts, keepFailure } from './decisions.ts';
import { MOST_MESSAGE, MonitorConnection } from './monitor-connection.ts';
import { queryScalars } from './raw-file.ts';

/** What the route needs of the server's parts. */
export interface StreamRouteParts extends DecisionParts {
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly tokens: Access | undefined;
}

/** Monitors at a time. */
const MOST_MONITORS = 256;
/** Seconds of later signal for which a missing packet is waited, at most. */
const LONGEST_PATIENCE = 10;

const PATH = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/stream\/?$/;

/** A monitor that may connect. */
interface Admitted {
  readonly model: ServedModel;
  readonly caller: Caller;
  readonly options: Pick<SignalSessionOptions, 'lead' | 'patience'>;
  /** Of the requests for its beats. */
  readonly parameters: Readonly<Record<string, Scalar>>;
}

/** Adds the route to a server. */
export function addStreamRoute(app: FastifyInstance, parts: StreamRouteParts): void {
  const open = new Set<MonitorConnection>();
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      handBack(app.server, request, socket, head);
      return;
    }
    // Until it is a WebSocket, nobody else listens.
    socket.on('error', () => {});
    connect(parts, open, { request, socket, head }).catch((error: unknown) => refuseUpgrade(error, socket));
  });
  for (const base of ['/v2/models/:name', '/v2/models/:name/versions/:version']) {
    app.get(`${base}/stream`, { config: { role: 'infer' } }, (_request, reply: FastifyReply) =>
      reply
        .code(426)
        .header('upgrade', 'websocket')
        .header('content-type', 'application/json')
        .send(Buffer.from(JSON.stringify({ error: 'signals come over a WebSocket', code: 'E_REQUEST' }))),
    );
  }
  app.addHook('preClose', async () => {
    await Promise.all([...open].map((connection) => connection.stop()));
  });
}

/** @throws BedsideError for a monitor that may not connect */
async function connect(
  parts: StreamRouteParts,
  open: Set<MonitorConnection>,
  { request, socket, head }: { request: IncomingMessage; socket: Duplex; head: Buffer },
): Promise<void> {
  const admitted = await admit(parts, request, socket);
  const { WebSocketServer } = await loadOptional('a WebSocket', () => import('ws'));
  if (open.size >= MOST_MONITORS) {
    throw new BedsideError('E_BUSY', `${open.size} monitors are connected already`, {
      hint: 'send several beds over one connection: packets name theirs',
    });
  }
  const server = new WebSocketServer({
    ...{ noServer: true, clientTracking: false, maxPayload: MOST_MESSAGE, perMessageDeflate: false },
  });
  const gone = new AbortController();
  // Each beat that waits listens to it.
  setMaxListeners(0, gone.signal);
  let connection: MonitorConnection | undefined;
  const answerer = answererOf(parts, admitted, gone.signal);
  const session = new SignalSession(admitted.model.bundle, {
    ...{ ...admitted.options, answerer },
    onEvent: (event) => connection?.tell(event),
  });
  server.handleUpgrade(request, socket, head, (own) => {
    const monitor = new MonitorConnection(own);
    connection = monitor;
    open.add(monitor);
    const told = (event: string, samples?: number): void => {
      const { model, caller } = admitted;
      const record = { event, caller: caller.name, model: model.name, bundle: model.bundle.sha256, samples };
      // Each answer has a line of its own, without which it is not given.
      parts.audit?.append(record).catch(() => {});
    };
    told('stream');
    monitor.start(session);
    void monitor.closed.then(() => {
      gone.abort();
      open.delete(monitor);
      told('stream-end', answerer.answered);
    });
  });
}

/** @throws BedsideError E_FORBIDDEN, E_AUTH, E_NOT_FOUND, E_REQUEST, E_LEVELS, E_UNSUPPORTED */
async function admit(
  { models, tokens }: StreamRouteParts,
  request: IncomingMessage,
  socket: Duplex,
): Promise<Admitted> {
  assertHost(request);
  if (request.headers.origin !== undefined) {
    throw new BedsideError('E_FORBIDDEN', 'a page of a browser may not send signals', {
      hint: 'a monitor sends no header Origin',
    });
  }
  const url = new URL(request.url ?? '/', 'http://gateway');
  const [, name, version] = PATH.exec(url.pathname) ?? [];
  if (name === undefined) {
    throw new BedsideError('E_NOT_FOUND', 'there is no WebSocket at this path', {
      hint: '/v2/models/NAME/stream',
    });
  }
  const caller = tokens ? await tokens.callerOf(request.headers.authorization) : unprovenCaller(socket);
  assertRole(caller, 'infer');
  const model = modelOf(models, { name: decoded(name), version: version && decoded(version) });
  const query: Record<string, string[]> = {};
  for (const [key, value] of url.searchParams) query[key] = [...(query[key] ?? []), value];
  const single = Object.entries(query).map(([key, all]) => [key, all.length === 1 ? all[0] : all]);
  const { lead, patience, ...parameters } = queryScalars(Object.fromEntries(single));
  const choice = readChoice(parameters, model.bundle.manifest);
  if (choice.explain || choice.withInput) {
    throw new BedsideError('E_REQUEST', 'answers of a stream are scores alone', {
      hint: 'leave out explain and with_input',
    });
  }
  if (
    patience !== undefined &&
    !(typeof patience === 'number' && patience >= 0 && patience <= LONGEST_PATIENCE)
  ) {
    throw new BedsideError('E_REQUEST', `parameter \`patience\` is not 0 to ${LONGEST_PATIENCE} seconds`);
  }
  return {
    model,
    caller,
    parameters,
    options: { lead: lead === undefined ? undefined : String(lead), patience },
  };
}

/** A part of a path. @throws BedsideError E_REQUEST */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new BedsideError('E_REQUEST', 'the path is not percent-encoded as it should be', { cause });
  }
}

/** Answers beats by the model's queue, and keeps what was decided, as of any request. */
function answererOf(
  parts: StreamRouteParts,
  { model, caller, parameters }: Admitted,
  gone: AbortSignal,
): Answerer & { answered: number } {
  const [input] = model.metadata.inputs as readonly { name: string; shape: readonly number[] }[];
  const { name, shape } = must(input, 'an input');
  const own = {
    answered: 0,
    get lost(): readonly string[] {
      return model.deployment.lost;
    },
    async answer(data: Float32Array): Promise<Scored> {
      const inputs = [{ name, shape: [1, ...shape.slice(1)], data }];
      const asked: InferRequest = { id: undefined, inputs, outputs: undefined, binary: false, parameters };
      const decision = { model, kind: 'infer', caller: caller.name, started: performance.now() } as const;
      try {
        const served = await model.infer(asked, gone);
        await parts.audit?.append(recordOf('infer', caller.name, model, served));
        countAnswer(parts, decision, served);
        own.answered++;
        return scoredOf(served);
      } catch (error) {
        if ((await keepFailure(parts, decision, error)) !== 'E_INTERNAL') throw error;
        // A fault of ours costs this beat its answer, and tells nothing of the inside.
        throw new BedsideError('E_FABRIC', 'the gateway failed', { cause: error });
      }
    },
  };
  return own;
}

function scoredOf({ answer, results }: Served): Scored {
  const { plan, margin, fallback, replanned } = must(results[0], 'a result');
  return {
    ...{ scores: must(answer.outputs[0], 'scores').data, levels: plan.levels, fallback, replanned },
    devices: String(answer.parameters.devices).split(','),
    confidence: margin,
  };
}
