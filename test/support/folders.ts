// The folders of `src/` and what each may import from: the one place this is written. An edge that is not listed is
// forbidden. `types` edges must be `import type`: nothing of that folder is loaded at run time.

/** What a folder may import. */
export interface FolderRule {
  readonly imports: readonly string[];
  readonly types?: readonly string[];
}

/** Stands for the files directly in `src/`, which only re-export. */
export const ROOT = '.';

export const FOLDERS: Readonly<Record<string, FolderRule>> = {
  util: { imports: [] },
  onnx: { imports: ['util'] },
  engine: { imports: ['onnx', 'util'] },
  data: { imports: ['util'] },
  explain: { imports: ['onnx', 'engine', 'util'], types: ['data'] },
  channels: { imports: ['onnx', 'util'] },
  bundle: { imports: ['onnx', 'channels', 'util'] },
  prune: { imports: ['onnx', 'channels', 'engine', 'util', 'bundle', 'explain'], types: ['data'] },
  plan: { imports: ['bundle', 'util'] },
  learn: { imports: ['plan', 'bundle', 'engine', 'onnx', 'util'] },
  run: { imports: ['engine', 'bundle', 'channels', 'onnx', 'util'], types: ['plan'] },
  serve: { imports: ['run', 'bundle', 'util'], types: ['plan'] },
  cli: {
    imports: [
      'util',
      'onnx',
      'engine',
      'data',
      'explain',
      'channels',
      'prune',
      'bundle',
      'plan',
      'learn',
      'run',
      'serve',
    ],
  },
  [ROOT]: {
    imports: [
      'util',
      'onnx',
      'engine',
      'data',
      'explain',
      'channels',
      'prune',
      'bundle',
      'plan',
      'learn',
      'run',
      'serve',
    ],
  },
};
