// The names of a bundle's classes: what options, a contract or metadata say, else those that the data gives.
import type { Dataset } from '../../data/index.ts';
import type { ClassMap } from '../../data/internal.ts';
import { hasClasses } from '../../util/index.ts';
import { withContract } from './contract.ts';
import type { Network } from './network.ts';

/** What classes or labels are called, in the order of the scores, and who says so. */
export interface NamedClasses {
  readonly names: readonly string[];
  /** `options`, `model.json` or `metadata`; `data`: the data set that the bundle was packed with. */
  readonly from: string;
}

/**
 * The names of a network's classes or labels, by its contract, else by data; undefined where neither says them. Data
 * without names have indices, which say nothing.
 */
export function namedClasses(
  { classifier, said }: Pick<Network, 'classifier' | 'said'>,
  { classNames }: Pick<Dataset, 'classNames'>,
): NamedClasses | undefined {
  const { contract, classes } = classifier;
  if (contract?.classes) return { names: contract.classes, from: said.from.classes ?? 'metadata' };
  const isNamed = classNames.length === classes && classNames.some((name, i) => name !== String(i));
  const isDistinct = new Set(classNames).size === classNames.length && !classNames.includes('');
  return isNamed && isDistinct ? { names: classNames, from: 'data' } : undefined;
}

/** The network whose contract has the names that data give its classes; unchanged where something else names them. */
export function withClassNames(network: Network, named: NamedClasses | undefined): Network {
  const { classifier, canonical, unmerged } = network;
  // Bundles of other tasks keep the data's names of labels in their task.
  if (named?.from !== 'data' || !hasClasses(classifier.task)) return network;
  const contract = {
    ...classifier.contract,
    classes: named.names,
    ...(classifier.contract?.classMap && { classMap: byIndex(classifier.contract.classMap) }),
  };
  return {
    ...network,
    canonical: withContract(canonical, contract),
    unmerged: withContract(unmerged, contract),
    classifier: { ...classifier, contract },
  };
}

/** A map to unnamed classes calls them by index, some as text: indices mean the same once classes are named. */
function byIndex(map: ClassMap): ClassMap {
  return Object.fromEntries(
    Object.entries(map).map(([label, to]) => [label, typeof to === 'string' ? Number(to) : to]),
  );
}
