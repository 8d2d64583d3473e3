// Makes the pictures of the README: docs/images/heatmap-ecg.png and docs/images/compare.png.
// Run by `npx tsx scripts/make-pictures.ts [heatmap] [compare]`, both by default. Needs Chromium (CHROMIUM names it);
// compare also needs the shared VGG and its images (BEDSIDE_SHARED), and takes some minutes.
import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { dataPath, modelPath } from '../bench/lib/shared.ts';
import { explain, loadNetwork } from '../src/app/index.ts';
import { type Dataset, generateEcg, openDataset } from '../src/data/index.ts';
import { type CriteriaComparison, compareCriteria, findCriterion } from '../src/prune/index.ts';
import { type ReportRow, renderReport } from '../src/report/index.ts';
import { BedsideError, formatBytes, messageOf, must, writeFileAtomic } from '../src/util/index.ts';

const WIDTH = 1600;
const MOST_BYTES = 150_000;
const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

const HEATMAP = { model: 'models/ecg-demo.onnx', criterion: 'lrp-gamma', kind: 'V', seed: 1 };
const COMPARE = {
  model: 'medical-mnist-vgg16',
  data: 'medical-mnist',
  criteria: ['lrp-gamma', 'lrp-epsilon', 'taylor', 'l1', 'activation', 'random'],
  ratios: [0.1, 0.2, 0.3, 0.4, 0.5],
  seeds: [1, 2, 3],
  local: 20,
  test: 60,
};

const PICTURES: Readonly<Record<string, (chromium: string) => Promise<void>>> = {
  heatmap: heatmapPicture,
  compare: comparePicture,
};

async function main(asked: readonly string[]): Promise<void> {
  const unknown = asked.find((name) => !(name in PICTURES));
  if (unknown !== undefined) {
    throw new BedsideError(
      'E_USAGE',
      `no picture '${unknown}': expected ${Object.keys(PICTURES).join(' or ')}`,
    );
  }
  const chromium = await findChromium();
  for (const [name, make] of Object.entries(PICTURES)) {
    if (asked.length === 0 || asked.includes(name)) await make(chromium);
  }
}

/** A ventricular beat of the generator, explained by the network that the package ships. */
async function heatmapPicture(chromium: string): Promise<void> {
  const { criterion, kind, seed } = HEATMAP;
  const all = generateEcg({ perClass: 1, seed, split: 'test' });
  const label = all.classNames.indexOf(kind);
  const dataset = generateEcg({
    perClass: all.classNames.map((_, k) => Number(k === label)),
    seed,
    split: 'test',
  });
  const folder = await mkdtemp(join(tmpdir(), 'bedside-pictures-'));
  try {
    const options = { data: dataset, heatmaps: folder, heatmapSamples: 1, criterion, seed };
    await explain(root(HEATMAP.model), options);
    const svg = await readFile(join(folder, `0-${kind}.svg`), 'utf8');
    await screenshot(chromium, page('', svg), heightOf(svg), 'docs/images/heatmap-ecg.png');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The accuracy chart of a report on the VGG: mean and spread over draws of the calibration samples. */
async function comparePicture(chromium: string): Promise<void> {
  const { criteria, ratios, seeds } = COMPARE;
  const loaded = await loadNetwork(modelPath(COMPARE.model));
  const { sampleShape, classes } = loaded.classifier;
  const open = (split: 'local' | 'test', perClass: number, seed: number): Promise<Dataset> =>
    openDataset(dataPath(COMPARE.data), { sampleShape, classes, split, perClass, seed });
  const test = await open('test', COMPARE.test, 1);
  const runs: CriteriaComparison[] = [];
  for (const seed of seeds) {
    const calibration = await open('local', COMPARE.local, seed);
    runs.push(
      await compareCriteria(loaded.canonical, {
        name: COMPARE.model,
        criteria: criteria.map(findCriterion),
        ratios,
        calibration,
        test,
        seed,
        threads: 2,
        onProgress: (step, done, total) => {
          if (done === total) process.stderr.write(`seed ${seed}: ${step}\n`);
        },
      }),
    );
    // After every seed, so that a run may be cut short.
    await drawComparison(chromium, runs, test);
  }
}

async function drawComparison(
  chromium: string,
  runs: readonly CriteriaComparison[],
  test: Dataset,
): Promise<void> {
  const [first] = runs;
  const { base, rows } = must(first, 'no run');
  const report = renderReport({
    title: COMPARE.model,
    command: 'npx tsx scripts/make-pictures.ts compare',
    date: '',
    version: '',
    model: { name: COMPARE.model, sha256: '', macs: base.macs, parameters: base.parameters },
    data: {
      name: test.name,
      sha256: test.hash,
      calibration: COMPARE.local * test.classNames.length,
      test: test.size,
      testPerClass: test.classNames.map(() => COMPARE.test),
    },
    classNames: test.classNames,
    base,
    rows: rows.map((row, i) =>
      overSeeds(
        row,
        runs.map((run) => must(run.rows[i], 'runs differ')),
      ),
    ),
    seconds: {},
  });
  const style = must(/<style>([\s\S]*?)<\/style>/.exec(report)?.[1], 'the report has no style');
  const chart = must(/<h2>Accuracy<\/h2>[\s\S]*?(<svg[\s\S]*?<\/svg>)/.exec(report)?.[1], 'no chart');
  const framed = `${style} body { padding: 0; max-width: none; } svg { min-width: 0; }`;
  await screenshot(chromium, page(framed, chart), heightOf(chart), 'docs/images/compare.png');
}

/** A row with mean and standard deviation of its accuracies over runs. */
function overSeeds(row: ReportRow, runs: readonly ReportRow[]): ReportRow {
  if (runs.length === 1) return row;
  const of = (measure: 'accuracy' | 'balancedAccuracy') => {
    const mean = runs.reduce((sum, run) => sum + run[measure], 0) / runs.length;
    const squares = runs.reduce((sum, run) => sum + (run[measure] - mean) ** 2, 0);
    return { mean, deviation: Math.sqrt(squares / (runs.length - 1)) };
  };
  const [accuracy, balanced] = [of('accuracy'), of('balancedAccuracy')];
  return {
    ...row,
    accuracy: accuracy.mean,
    accuracyStd: accuracy.deviation,
    balancedAccuracy: balanced.mean,
    balancedAccuracyStd: balanced.deviation,
    seeds: runs.length,
  };
}

function page(style: string, svg: string): string {
  return `<!doctype html><meta charset="utf-8"><style>${style} html, body { margin: 0; background: #fff; }</style>${svg}`;
}

/** The height of an SVG when it is 960 wide, as all of them are drawn. */
function heightOf(svg: string): number {
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
  return Math.ceil((Number(height) / Number(width)) * 960);
}

/** Renders a page 960 pixels wide, twice as large, and writes it as a small PNG of WIDTH pixels. */
async function screenshot(chromium: string, content: string, height: number, path: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-chromium-'));
  try {
    const [source, shot] = [join(folder, 'page.html'), join(folder, 'page.png')];
    await writeFile(source, content);
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
    flags.push('--disable-background-networking', '--disable-component-update', '--disable-sync');
    flags.push(
      '--hide-scrollbars',
      '--force-device-scale-factor=2',
      '--blink-settings=preferredColorScheme=1',
    );
    flags.push(`--user-data-dir=${join(folder, 'profile')}`, `--window-size=960,${height}`);
    flags.push(`--screenshot=${shot}`);
    await promisify(execFile)(chromium, [...flags, pathToFileURL(source).href], { timeout: 120_000 });
    const png = await sharp(shot)
      .resize({ width: WIDTH })
      .png({ palette: true, colours: 200, effort: 10, compressionLevel: 9 })
      .toBuffer();
    if (png.length > MOST_BYTES) {
      throw new BedsideError('E_OUTPUT', `${path} has ${formatBytes(png.length)}, more than wanted`);
    }
    await writeFileAtomic(root(path), png);
    process.stdout.write(`${path}: ${formatBytes(png.length)}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function findChromium(): Promise<string> {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const places = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  for (const path of process.env.CHROMIUM === undefined ? places : [process.env.CHROMIUM]) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new BedsideError('E_FILE', `no Chromium: looked for ${process.env.CHROMIUM ?? names.join(', ')}`, {
    hint: 'install it, or say where it is: CHROMIUM=/path/to/chromium',
  });
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const hint = BedsideError.is(error) && error.hint !== undefined ? `\n${error.hint}` : '';
  process.stderr.write(`${messageOf(error)}${hint}\n`);
  process.exitCode = 1;
});
