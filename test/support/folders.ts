// The folders of `src/` and what each may import from: the one place this is written. An edge that is not listed is
// forbidden. `types` edges must be `import type`: nothing of that folder is loaded at run time.

/** What a folder may import. */
export interface FolderRule {
  readonly imports: readonly string[];
  readonly types?: readonly string[];
}

/** Stands for the files directly in `src/`, which only re-export. */
export const ROOT = '.';

/** Folders that pages and pictures may show. */
const SHOWN = [
  'util',
  'onnx',
  'engine',
  'data',
  'channels',
  'bundle',
  'evaluate',
  'explain',
  'repair',
  'prune',
  'pack',
  'plan',
  'simulate',
];

/** All parts that use cases are made of. */
const PARTS = [...SHOWN, 'quantize', 'learn', 'run', 'interop', 'signal'];

export const FOLDERS: Readonly<Record<string, FolderRule>> = {
  util: { imports: [] },
  onnx: { imports: ['util'] },
  engine: { imports: ['onnx', 'util'] },
  data: { imports: ['util'] },
  signal: { imports: ['util'], types: ['data'] },
  channels: { imports: ['onnx', 'util'] },
  bundle: { imports: ['onnx', 'channels', 'util'] },
  evaluate: { imports: ['onnx', 'engine', 'util'], types: ['data'] },
  explain: { imports: ['onnx', 'engine', 'util'], types: ['data'] },
  repair: { imports: ['onnx', 'engine', 'channels', 'bundle', 'explain', 'util'], types: ['data'] },
  prune: {
    imports: ['onnx', 'engine', 'data', 'channels', 'bundle', 'evaluate', 'explain', 'repair', 'util'],
  },
  quantize: { imports: ['onnx', 'engine', 'channels', 'repair', 'util'], types: ['data'] },
  pack: {
    imports: [
      'onnx',
      'engine',
      'channels',
      'bundle',
      'evaluate',
      'explain',
      'repair',
      'quantize',
      'prune',
      'util',
    ],
    types: ['data'],
  },
  plan: { imports: ['bundle', 'util'] },
  simulate: { imports: ['plan', 'bundle', 'util'] },
  learn: { imports: ['simulate', 'plan', 'bundle', 'engine', 'onnx', 'util'] },
  run: { imports: ['engine', 'bundle', 'channels', 'quantize', 'onnx', 'util'], types: ['plan'] },
  interop: { imports: ['data', 'util'] },
  report: { imports: SHOWN },
  app: { imports: [...PARTS, 'report'] },
  gateway: {
    imports: ['app', 'run', 'plan', 'bundle', 'engine', 'explain', 'onnx', 'util'],
  },
  cli: { imports: [...PARTS, 'report', 'app', 'gateway'] },
  [ROOT]: { imports: [...PARTS, 'app'] },
};
