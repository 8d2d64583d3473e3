// The real models and recordings, beside the project (or where BEDSIDE_SHARED says).
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder with `models`, `data` and `oracle`. */
export const SHARED =
  process.env.BEDSIDE_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));

/** The shared models: file, data, one sample's shape and number of classes. */
export const SHARED_MODELS = [
  { name: 'medical-mnist-vgg16', data: 'medical-mnist', sampleShape: [1, 64, 64], classes: 6 },
  { name: 'medical-mnist-resnet18', data: 'medical-mnist', sampleShape: [1, 64, 64], classes: 6 },
  { name: 'ecg-resnet1d', data: 'mitdb', sampleShape: [1, 256], classes: 5 },
] as const;

/** Path of a shared model. */
export const modelPath = (name: string): string => join(SHARED, 'models', `${name}.onnx`);

/** Path of shared data. */
export const dataPath = (name: string): string => join(SHARED, 'data', name);
