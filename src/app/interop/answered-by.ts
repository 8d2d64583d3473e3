// What answers, for results that are given back: the bundle with its hashes, the software, the model card.
import type { Bundle } from '../../bundle/index.ts';
import { ENGINE } from '../../engine/index.ts';
import type { AnsweredBy, AnswerPart } from '../../interop/internal.ts';
import { modelCard } from '../../report/index.ts';
import { VERSION } from '../../util/index.ts';
import { type AnswerForm, answerForm, type ReadAnswer } from '../explain/answers.ts';
import { inspectBundle } from '../inspect/inspect.ts';

/** The facts of an opened bundle. */
export async function answeredBy(bundle: Bundle): Promise<AnsweredBy> {
  const { manifest, sha256 } = bundle;
  const [input] = answerForm(bundle).inputs;
  const kinds = { image: 'images', signal: 'signals', values: 'tensors' } as const;
  return {
    bundle: { name: manifest.name, sha256 },
    network: { sha256: manifest.model.source.sha256 },
    versions: { bedside: VERSION, [ENGINE.name]: ENGINE.version },
    reads: kinds[input?.kind ?? 'values'],
    card: modelCard(await inspectBundle(bundle)),
  };
}

/** Classes, labels or values of an answer by their names. */
export function answerParts({ form, classNames }: AnswerForm, answer: ReadAnswer): AnswerPart[] {
  const nameOf = (i: number): string => classNames?.[i] ?? `class ${i}`;
  const found = new Set(answer.found);
  if (answer.probabilities) {
    return answer.probabilities.map((probability, i) => ({
      name: nameOf(i),
      probability,
      found: found.has(i),
    }));
  }
  if (answer.values) {
    return answer.values.map((value, i) => ({ name: classNames?.[i] ?? `value ${i}`, value, found: true }));
  }
  // Of a mask: the classes that it has anywhere.
  const count = Math.max(classNames?.length ?? 0, ...Array.from(found, (i) => i + 1));
  const first = form.exclusive ? 1 : 0;
  return Array.from({ length: Math.max(0, count - first) }, (_, i) => ({
    name: nameOf(i + first),
    found: found.has(i + first),
  }));
}
