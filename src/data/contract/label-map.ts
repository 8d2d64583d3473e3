// From the data's labels to the network's classes: by the contract's map, by name, or by position.
import { BedsideError, firstOf, largest } from '../../util/index.ts';
import type { PassedOver } from '../dataset.ts';
import { assertClassCount, numberedClasses } from '../fit.ts';
import type { InputContract } from './contract.ts';

/** The network whose classes labels are mapped to. */
export interface LabelledNetwork {
  readonly classes: number;
  /** Its output in messages. */
  readonly output?: string | undefined;
  readonly contract?: InputContract | undefined;
}

/** A label's class where the network has none for it. */
const LEFT_OUT = -1;
/** A label's class where the map should say one and does not. */
const UNSAID = -2;

/** The labels that data give, as classes of the network. */
export interface MappedLabels {
  /** The class of each sample; -1 for one that is left out, which is never chosen. */
  readonly labels: Int32Array;
  /** Samples that were left out, by label. */
  readonly leftOut: readonly PassedOver[];
}

/** Maps labels of the data to classes of the network. */
export class LabelMap {
  /** Names of the network's classes. */
  readonly classNames: readonly string[];
  readonly remarks: readonly string[];
  readonly #names: readonly string[];
  /** By label of the data; undefined where labels are the network's classes as they are. */
  readonly #classOf: Int32Array | undefined;
  readonly #name: string;
  /** Where labels that are numbers stand among the names; absent where a label is its own place. */
  #places: ReadonlyMap<number, number> | undefined;

  private constructor(
    names: readonly string[],
    classNames: readonly string[],
    classOf: Int32Array | undefined,
    name: string,
    remarks: readonly string[] = [],
  ) {
    this.#names = names;
    this.classNames = classNames;
    this.#classOf = classOf;
    this.#name = name;
    this.remarks = remarks;
  }

  /**
   * For data that names its labels. Without names of the network's classes or a map, there must be as many.
   * @param names of the data's labels, by label
   * @param name of the data, in messages
   * @throws BedsideError E_DATA_FIT when labels have no classes
   */
  static named(network: LabelledNetwork, names: readonly string[], name: string): LabelMap {
    const { classes: own, classMap } = network.contract ?? {};
    if (classMap) return LabelMap.#byMap(network, names, name);
    if (!own) {
      assertClassCount(network, names, name);
      return new LabelMap(names, names, undefined, name);
    }
    const classOf = Int32Array.from(names, (label) => indexOfName(own, label));
    if (classOf.every((index) => index === LEFT_OUT)) {
      assertClassCount(network, names, name);
      const remark =
        `no label of ${name} (${firstOf(names, FEW)}) has the name of a class of the network (${firstOf(own, FEW)}): ` +
        'they were taken in order; --class-map says which is which';
      return new LabelMap(names, own, undefined, name, [remark]);
    }
    const doubled = names.find((_, i) => classOf[i] !== LEFT_OUT && classOf.indexOf(classOf[i]!) !== i);
    if (doubled !== undefined) {
      throw new BedsideError('E_DATA_FIT', `${name}: two of its labels are '${doubled}' in other capitals`, {
        hint: 'say which class each label is with --class-map',
      });
    }
    const identity = names.length === own.length && classOf.every((index, label) => index === label);
    return new LabelMap(names, own, identity ? undefined : classOf, name);
  }

  /**
   * For data whose labels are numbers. Without a map they are the network's classes.
   * @param labels of the data; only those that occur take room, however high they are
   * @throws BedsideError E_DATA_FIT
   */
  static numbered(network: LabelledNetwork, labels: Iterable<number>, name: string): LabelMap {
    const { classes: own = numberedClasses(network.classes), classMap } = network.contract ?? {};
    const present = new Set(labels);
    if (!classMap || present.size === 0) return new LabelMap(own, own, undefined, name);
    const highest = largest(present);
    // A label that the map names and the data could have is not a mistake of the map.
    for (const label of Object.keys(classMap)) {
      if (/^\d+$/.test(label) && Number(label) < highest) present.add(Number(label));
    }
    const known = [...present].sort((a, b) => a - b);
    const map = LabelMap.#byMap(network, known.map(String), name);
    map.#places = new Map(known.map((label, place) => [label, place]));
    return map;
  }

  static #byMap(
    { classes, contract = {} }: LabelledNetwork,
    names: readonly string[],
    name: string,
  ): LabelMap {
    const { classes: own = numberedClasses(classes), classMap = {} } = contract;
    const classOf = new Int32Array(names.length).fill(UNSAID);
    for (const [label, output] of Object.entries(classMap)) {
      const at = names.indexOf(label);
      if (at >= 0) classOf[at] = output === null ? LEFT_OUT : classIndex(output, own, classes, label);
    }
    for (const [i, label] of names.entries()) {
      if (classOf[i] === UNSAID && contract.classes) classOf[i] = indexOfName(own, label, UNSAID);
    }
    const unknown = Object.keys(classMap).filter((label) => !names.includes(label));
    if (unknown.length === Object.keys(classMap).length) {
      throw new BedsideError(
        'E_DATA_FIT',
        `the class map names no label of ${name}: its labels are ${firstOf(names, FEW)}`,
        {
          hint: 'write label of the data : class of the network, such as N:0,S:1,Q:-',
        },
      );
    }
    const remarks =
      unknown.length === 0
        ? []
        : [`the class map names ${firstOf(unknown, FEW)}, which ${name} does not have`];
    // Names of the network's classes: its own, else those of the labels that become them.
    const told = own.map((known, index) => {
      const labels = names.filter((_, i) => classOf[i] === index);
      return contract.classes || labels.length === 0 ? known : labels.join('+');
    });
    return new LabelMap(names, told, classOf, name, remarks);
  }

  /** Whether a label has a class; for readers that look for few labels among many. */
  has(label: number): boolean {
    return !this.#classOf || (this.#classOf[label] ?? UNSAID) >= 0;
  }

  /**
   * Classes of labels. Samples that the network has no class for are left out and counted.
   * @throws BedsideError E_DATA_FIT for a label that the map does not name
   */
  apply(labels: Int32Array): MappedLabels {
    const classOf = this.#classOf;
    if (!classOf) return { labels, leftOut: [] };
    const counts = new Map<number, number>();
    const mapped = labels.map((label) => {
      const index = classOf[this.#placeOf(label)] ?? UNSAID;
      if (index === UNSAID) throw this.#unsaid(label);
      if (index === LEFT_OUT) counts.set(label, (counts.get(label) ?? 0) + 1);
      return index;
    });
    const leftOut = [...counts]
      .sort(([a], [b]) => a - b)
      .map(([label, count]) => {
        const text = this.#names[this.#placeOf(label)] ?? String(label);
        return {
          reason: `samples labelled ${text}, for which the network has no class`,
          count,
          examples: [],
        };
      });
    return { labels: mapped, leftOut };
  }

  #placeOf(label: number): number {
    return this.#places ? (this.#places.get(label) ?? -1) : label;
  }

  #unsaid(label: number): BedsideError {
    const text = this.#names[this.#placeOf(label)] ?? String(label);
    return new BedsideError(
      'E_DATA_FIT',
      `${this.#name}: the class map does not say which class label ${text} is`,
      {
        hint: `add it to --class-map: ${text}:0 for class 0, or ${text}:- to leave its samples out`,
      },
    );
  }
}

function indexOfName(names: readonly string[], label: string, none = LEFT_OUT): number {
  const exact = names.indexOf(label);
  if (exact >= 0) return exact;
  // Symbols of one letter are different in capitals.
  if (label.length === 1) return none;
  const folded = label.toLowerCase();
  const alike = names.flatMap((name, i) => (name.toLowerCase() === folded ? [i] : []));
  return alike.length === 1 ? (alike[0] ?? none) : none;
}

function classIndex(output: number | string, own: readonly string[], classes: number, label: string): number {
  const index = typeof output === 'number' ? output : own.indexOf(output);
  if (index >= 0 && index < classes) return index;
  const known = `the network has ${classes} classes: ${firstOf(own, FEW)}`;
  throw new BedsideError('E_DATA_FIT', `the class map says that ${label} is ${output}, but ${known}`, {
    hint: 'give the index of a class from 0, its name (--labels names them), or - to leave the label out',
  });
}

const FEW = 10;
