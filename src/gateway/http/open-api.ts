// The gateway's own description of its interface, as OpenAPI 3.1.
import { VERSION } from '../../util/index.ts';
import { ROLES } from '../security/tokens.ts';

const json = (schema: unknown) => ({ 'application/json': { schema } });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const text = { type: 'string' } as const;
const list = (items: unknown) => ({ type: 'array', items });
const object = (
  properties: Record<string, unknown>,
  required: readonly string[] = Object.keys(properties),
) => ({
  type: 'object',
  properties,
  required,
});

const problem = (description: string) => ({ description, content: json(ref('error')) });
const answers = (description: string, schema: unknown) => ({
  200: { description, content: json(schema) },
  401: problem('no token, or an unknown one'),
  403: problem('the token has another role'),
  404: problem('no such model or version'),
});

const MODEL = { name: 'name', in: 'path', required: true, schema: text };
const VERSION_PART = { name: 'version', in: 'path', required: true, schema: text };
const query = (name: string, type: string, description: string) => ({
  ...{ name, in: 'query', required: false, description },
  schema: { type },
});

/** Files as bodies. */
const FILES = Object.fromEntries(
  ['image/*', 'application/x-npy', 'application/zip', 'application/octet-stream'].map((type) => [type, {}]),
);

const SCHEMAS = {
  error: object({ error: text, code: text, hint: text }, ['error', 'code']),
  tensor_metadata: object({ name: text, datatype: text, shape: list({ type: 'integer' }) }),
  parameters: { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } },
  request_input: object(
    {
      ...{ name: text, shape: list({ type: 'integer' }), datatype: text },
      parameters: ref('parameters'),
      data: { type: 'array', items: {} },
    },
    ['name', 'shape', 'datatype'],
  ),
  request: object(
    {
      ...{ id: text, parameters: ref('parameters'), inputs: list(ref('request_input')) },
      outputs: list(object({ name: text, parameters: ref('parameters') }, ['name'])),
    },
    ['inputs'],
  ),
  response: object(
    {
      ...{ model_name: text, model_version: text, id: text, parameters: ref('parameters') },
      outputs: list(
        object(
          {
            ...{ name: text, shape: list({ type: 'integer' }), datatype: text },
            parameters: ref('parameters'),
            data: list({ type: 'number' }),
          },
          ['name', 'shape', 'datatype'],
        ),
      ),
    },
    ['model_name', 'outputs'],
  ),
  model: object({
    ...{ name: text, versions: list(text), platform: text },
    inputs: list(ref('tensor_metadata')),
    outputs: list(ref('tensor_metadata')),
    properties: { type: 'object', additionalProperties: text },
  }),
} as const;

const EXTENSION =
  'Tensors may follow the JSON as bytes (binary tensor data extension): the header Inference-Header-Content-Length says ' +
  'how long the JSON is. Parameters: deadline (seconds) or timeout (microseconds), accuracy_floor, levels ("0,3,1") or ' +
  'variant (its index), solver, explain, with_input. A file is taken by its content type, or by the ending of the parameter ' +
  'name, with all parameters as a query; it is prepared as the bundle says.';

/** The WebSocket of live signals. */
function streamPath(parameters: readonly unknown[]): Record<string, unknown> {
  return {
    parameters: [
      ...parameters,
      query('lead', 'string', 'the lead in which beats are looked for'),
      query('patience', 'number', 'seconds that a missing packet is waited for'),
    ],
    get: {
      summary: 'Live signals over a WebSocket: packets of samples there, answers to heartbeats back',
      description:
        'Messages are JSON texts: packets as docs/edges.md has them, events as `bedside stream --events` writes them. ' +
        '{"end": true} asks for the summary. The parameters of inference that choose a plan may stand in the query.',
      responses: {
        101: { description: 'the connection is a WebSocket from here on' },
        400: problem('a parameter is none, or the model does not read heartbeats'),
        401: problem('no token, or an unknown one'),
        403: problem('the token has another role, or a page of a browser asks'),
        404: problem('no such model or version'),
        426: problem('the request does not ask for a WebSocket'),
        503: problem('too many monitors are connected'),
      },
    },
  };
}

/** The description, as an object to write as JSON. */
export function openApi(): Record<string, unknown> {
  const paths: Record<string, unknown> = {
    '/v2': {
      get: { summary: 'The server', responses: answers('name, version and extensions', { type: 'object' }) },
    },
    '/v2/health/live': {
      get: { summary: 'Whether it runs', responses: answers('it does', { type: 'object' }) },
    },
    '/v2/health/ready': {
      get: {
        summary: 'Whether an inference through the devices has succeeded in the last second',
        responses: { ...answers('it has', { type: 'object' }), 503: { description: 'it has not' } },
      },
    },
    '/metrics': { get: { summary: 'Metrics for Prometheus', responses: { 200: { description: 'text' } } } },
  };
  for (const [base, parameters] of [
    ['/v2/models/{name}', [MODEL]],
    ['/v2/models/{name}/versions/{version}', [MODEL, VERSION_PART]],
  ] as const) {
    const infer = (summary: string) => ({
      ...{ summary, description: EXTENSION },
      requestBody: { content: { ...json(ref('request')), ...FILES } },
      responses: {
        ...answers('scores, and facts of the answer as parameters', ref('response')),
        400: problem('the request is malformed, or does not fit the model'),
        413: problem('the body or its batch is too large'),
        503: problem('the queue is full or a device is lost: see Retry-After'),
        504: problem('no result before the deadline'),
      },
    });
    paths[base] = {
      parameters,
      get: { summary: 'The model', responses: answers('its tensors', ref('model')) },
    };
    paths[`${base}/ready`] = {
      parameters,
      get: {
        summary: 'Whether the model answers',
        responses: { 200: { description: 'yes' }, 503: { description: 'no' } },
      },
    };
    paths[`${base}/plan`] = {
      parameters: [
        ...parameters,
        query('deadline', 'number', 'seconds'),
        query('accuracy_floor', 'number', 'least accuracy, from 0 to 1'),
        query('levels', 'string', 'the level of each group, with commas'),
        query('variant', 'integer', 'index of a measured variant'),
        query('solver', 'string', 'name of a planner'),
      ],
      get: {
        summary: 'The plan that a request would get now',
        responses: { ...answers('the plan', { type: 'object' }), 400: problem('why there is none') },
      },
    };
    paths[`${base}/stream`] = streamPath(parameters);
    paths[`${base}/infer`] = { parameters, post: infer('Inference') };
    paths[`${base}/explain`] = { parameters, post: infer('Inference, with the relevance of the input') };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'bedside gateway', version: VERSION, description: 'Open Inference Protocol, version 2' },
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: `roles: ${ROLES.join(', ')}` },
      },
    },
    security: [{ token: [] }, {}],
  };
}
