// Scores from the samples of one place (a patient, two kinds of scans) against scores from everybody's and from the wrong
// ones, measured on that place's test samples, without retraining or repair. Goes on where it was cut.
// Command: npm run bench:local [-- --report | --minutes N]
import { parseArgs } from 'node:util';
import { subset } from '../src/data/index.ts';
import { accuracies } from '../src/evaluate/internal.ts';
import { findCriterion } from '../src/prune/index.ts';
import { must } from '../src/util/index.ts';
import { appendLine, cellsPath, readLines, rounded } from './criteria/cells.ts';
import { type LocalStudy, MIXES, pairs, patients } from './criteria/local-cases.ts';
import {
  LOCAL_CRITERIA,
  LOCAL_RATIOS,
  LOCAL_SEEDS,
  type LocalCell,
  localKey,
  writeLocalReport,
} from './criteria/local-report.ts';

const { values } = parseArgs({
  options: { report: { type: 'boolean', default: false }, minutes: { type: 'string', default: 'Infinity' } },
});
const path = cellsPath('local');
const until = Date.now() + Number(values.minutes) * 60_000;

const studies = [await patients(), await pairs('medical-mnist-vgg16'), await pairs('medical-mnist-resnet18')];
if (!values.report) {
  const done = new Set((await readLines<LocalCell>(path)).map(localKey));
  for (const seed of LOCAL_SEEDS) {
    for (const study of studies) {
      for (const criterion of LOCAL_CRITERIA) await measure(study, criterion, seed, done);
    }
  }
}
process.stdout.write(await writeLocalReport(studies, await readLines<LocalCell>(path)));

/** Every case and mix that is not done yet. */
async function measure(study: LocalStudy, criterion: string, seed: number, done: ReadonlySet<string>) {
  const { studied, test, cases } = study;
  for (const mix of MIXES) {
    // Uniform scores are the same for all cases: cut and run once over everybody's test samples.
    let shared: readonly Int32Array[] | undefined;
    for (const place of cases) {
      const key = { study: study.name, place: place.name, mix, criterion, seed };
      if (!place.mixes.includes(mix) || done.has(localKey(key)) || Date.now() > until) continue;
      const began = performance.now();
      const own = subset(test, place.test);
      const predictions = async (samples: typeof test): Promise<Int32Array[]> => {
        const { layers } = await studied.score(findCriterion(criterion), place.draw(mix, seed), seed);
        const result: Int32Array[] = [];
        for (const ratio of LOCAL_RATIOS) {
          const cut = studied.cutUniformly(layers, ratio);
          result.push((await studied.evaluate(cut, samples)).predictions);
        }
        return result;
      };
      if (mix === 'uniform') shared ??= await predictions(test);
      const answers = shared
        ? shared.map((list) => place.test.map((i) => list[i] as number))
        : await predictions(own);
      const classes = test.classNames.length;
      const measured = answers.map((answer) => {
        const found = accuracies(answer, must(own.labels, 'test samples have labels'), classes);
        return [rounded(found.accuracy), rounded(found.balancedAccuracy)] as const;
      });
      const cell: LocalCell = {
        ...key,
        measured,
        seconds: rounded((performance.now() - began) / 1000, 1),
      };
      await appendLine(path, cell);
    }
    process.stderr.write(`${study.name}: ${criterion}, seed ${seed}, ${mix}\n`);
  }
}
