import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import type { Model } from '../graph.ts';
import { compareModels, randomConstant } from '../test-support/models.ts';
import { loadModel, readModel, saveModel } from './codec.ts';
import { ModelProtoSchema, type TensorProto } from './onnx_pb.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-external-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function layer(): Model {
  const builder = new GraphBuilder();
  const random = new Random(3);
  builder.input('x', ['N', 40]);
  const weight = builder.constant(randomConstant(random, [40, 30]), 'w');
  const bias = builder.constant(randomConstant(random, [30]), 'b');
  const second = builder.constant(randomConstant(random, [30, 20]), 'w2');
  const hidden = builder.node('Gemm', ['x', weight, bias]);
  builder.output(builder.node('MatMul', [hidden, second], {}, 'y'), ['N', 20]);
  return builder.model();
}

/** Saves the layer with external data, then changes how its first tensor is stored. */
async function saveChanged(change: (tensor: TensorProto, set: (key: string, value: string) => void) => void) {
  const path = join(folder, 'm.onnx');
  await saveModel(layer(), path, { externalData: true });
  const proto = fromBinary(ModelProtoSchema, await readFile(path));
  const tensor = must(proto.graph?.initializer[0], 'tensor');
  change(tensor, (key, value) => {
    must(
      tensor.externalData.find((pair) => pair.key === key),
      key,
    ).value = value;
  });
  await writeFile(path, toBinary(ModelProtoSchema, proto));
  return path;
}

describe('external data', () => {
  it('is written beside the model and read back', async () => {
    const model = layer();
    const path = join(folder, 'deep', 'm.onnx');
    await saveModel(model, path, { externalData: true });
    expect((await readdir(join(folder, 'deep'))).sort()).toEqual(['m.onnx', 'm.onnx.data']);
    expect((await readFile(path)).length).toBeLessThan(1000);
    const loaded = await loadModel(path);
    expect(loaded).toEqual(model);
    expect(await compareModels(loaded, model)).toBe(0);
  });

  it('is not used unless asked for', async () => {
    const path = join(folder, 'm.onnx');
    await saveModel(layer(), path);
    expect(await readdir(folder)).toEqual(['m.onnx']);
    expect(await loadModel(path)).toEqual(layer());
  });

  it('that links to a file side by side with the real model is read', async () => {
    const store = join(folder, 'store');
    await saveModel(layer(), join(store, 'm.onnx'), { externalData: true });
    await mkdir(join(folder, 'view'));
    for (const name of ['m.onnx', 'm.onnx.data'])
      await symlink(join(store, name), join(folder, 'view', name));
    expect(await loadModel(join(folder, 'view', 'm.onnx'))).toEqual(layer());
  });

  it('that links out of the folder is refused', async () => {
    const path = await saveChanged(() => {});
    const outside = await mkdtemp(join(tmpdir(), 'bedside-outside-'));
    await writeFile(join(outside, 'data'), new Uint8Array(10_000));
    await rm(join(folder, 'm.onnx.data'));
    await symlink(join(outside, 'data'), join(folder, 'm.onnx.data'));
    await expect(loadModel(path)).rejects.toThrow(/tensor 'w'.*links to a file outside/);
    await rm(outside, { recursive: true });
  });

  it.each([
    ['a path above the folder', 'location', '../secret', /outside the model's folder/],
    ['an absolute path', 'location', '/etc/hostname', /outside the model's folder/],
    ['an offset past the end', 'offset', '9999999', /'m.onnx.data'/],
    ['a negative offset', 'offset', '-1', /not a number of bytes/],
    ['a wrong length', 'length', '12', /gives it 12 bytes, its dims need 4800/],
  ])('refuses %s, naming tensor and file', async (_, key, value, message) => {
    const path = await saveChanged((__, set) => set(key, value));
    await expect(loadModel(path)).rejects.toThrow(
      expect.objectContaining({ code: 'E_MODEL', message: expect.stringMatching(message) }),
    );
    await expect(loadModel(path)).rejects.toThrow(/tensor 'w'/);
  });

  it('that is missing is an error of the file', async () => {
    const path = await saveChanged((_, set) => set('location', 'gone.data'));
    await expect(loadModel(path)).rejects.toThrow(
      expect.objectContaining({ code: 'E_FILE', message: expect.stringMatching(/tensor 'w'.*gone\.data/) }),
    );
  });

  it('is asked for when only bytes are given', async () => {
    const path = await saveChanged(() => {});
    expect(() => readModel(new Uint8Array([]), 'x')).toThrow();
    const bytes = await readFile(path);
    expect(() => readModel(bytes, 'm')).toThrow(/tensor 'w' keeps its data in the file 'm.onnx.data'/);
  });
});

describe('models of more than 2 GiB', () => {
  const sparse = async (name: string, bytes: number): Promise<void> => {
    const file = await open(join(folder, name), 'w');
    await file.truncate(bytes);
    await file.close();
  };

  it('in one file are refused by their size, not as unreadable', async () => {
    await sparse('m.onnx', 2 ** 31 + 5);
    await expect(loadModel(join(folder, 'm.onnx'))).rejects.toThrow(
      expect.objectContaining({
        code: 'E_UNSUPPORTED',
        message: expect.stringMatching(/m\.onnx has 2\.0+ GiB/),
        hint: expect.stringMatching(/beside/),
      }),
    );
  });

  it('in a data file are refused before any of it is read', async () => {
    const path = await saveChanged((tensor, set) => {
      tensor.dims = [3n * 2n ** 18n, 1024n];
      set('offset', '0');
      set('length', String(3 * 2 ** 30));
    });
    await sparse('m.onnx.data', 3 * 2 ** 30);
    await expect(loadModel(path)).rejects.toThrow(
      expect.objectContaining({
        code: 'E_UNSUPPORTED',
        message: expect.stringMatching(/3\.0+ GiB/),
        hint: expect.stringMatching(/float16/),
      }),
    );
  });
});
