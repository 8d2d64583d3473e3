// What the Open Inference Protocol's published OpenAPI description says of answers, written down as JSON Schemas.
// Source: github.com/kserve/open-inference-protocol, specification/protocol/open_inference_rest.yaml (Apache-2.0),
// component schemas metadata_server_response, metadata_model_response, metadata_tensor, inference_response,
// response_output, tensor_data, parameters and inference_error_response.

const text = { type: 'string' } as const;
const list = (items: object) => ({ type: 'array', items });
const object = (properties: object, required: readonly string[]) => ({
  type: 'object',
  properties,
  required,
});

const parameters = { type: 'object' } as const;
const tensor = object({ name: text, datatype: text, shape: list({ type: 'integer' }) }, [
  'name',
  'datatype',
  'shape',
]);
const tensorData = {
  $id: 'tensor_data',
  ...list({ anyOf: [{ $ref: 'tensor_data' }, { type: 'number' }, text, { type: 'boolean' }] }),
};

/** The schemas by the names that the description gives them. */
export const OPEN_INFERENCE = {
  metadata_server_response: object({ name: text, version: text, extensions: list(text) }, [
    'name',
    'version',
    'extensions',
  ]),
  metadata_model_response: object(
    { name: text, versions: list(text), platform: text, inputs: list(tensor), outputs: list(tensor) },
    ['name', 'platform'],
  ),
  inference_response: object(
    {
      ...{ model_name: text, model_version: text, id: text, parameters },
      outputs: list(
        object({ ...tensor.properties, parameters, data: { $ref: 'tensor_data' } }, [
          'name',
          'shape',
          'datatype',
          'data',
        ]),
      ),
    },
    ['model_name', 'outputs'],
  ),
  inference_error_response: object({ error: text }, []),
} as const;

/** Schemas that others refer to. */
export const REFERRED = [tensorData] as const;
