// The seconds that a device takes for each stage of a bundle: measured once, then corrected by the times of requests.
import { type BundleManifest, stageCosts } from '../../bundle/index.ts';
import { eightBitCosts, type StageCosts, secondsAtMacs } from '../../bundle/internal.ts';
import type { StageView } from '../../plan/internal.ts';
import { median } from '../../util/index.ts';

/** Number of latest requests that correct the time of a stage. */
const LATEST = 16;

/** Sizes of a stage whose times are remembered. */
const MOST_KNOWN = 256;

/** A stage and its MACs for one sample. */
export interface StageWork {
  readonly stage: number;
  readonly macs: number;
}

/** Seconds for one sample by stage and level, as in the field `seconds` of a fleet file. */
export class StageTimes {
  /** Costs of whole stages with all groups at one level, `[stage][level]`. */
  readonly #uniform: readonly (readonly StageCosts[])[];
  /** Seconds, `[stage][level]`; undefined where nothing was measured. */
  readonly #measured: (number[] | undefined)[];
  /** Stages that were measured on this device, not only on the machine that packed the bundle. */
  readonly #own = new Set<number>();
  /** By stage: times of the latest requests divided by those of the table. */
  readonly #ratios: number[][];

  /** By stage: seconds of the table by MACs, as each run asks for them again. */
  readonly #known: Map<number, number>[];

  /** Starts with the times in the bundle, which were measured on another machine. */
  constructor(manifest: BundleManifest, precision: StageView['precision'] = 'float32') {
    // A stage without an eight-bit form keeps its place in the table: no plan has it in int8.
    this.#uniform = manifest.stages.map(({ index }) =>
      manifest.ratios.map((_, level) => {
        const levels = manifest.groups.map(() => level);
        const has = precision === 'int8' && (manifest.eightBit?.[index]?.layers.length ?? 0) > 0;
        return (has ? eightBitCosts : stageCosts)(manifest, index, levels);
      }),
    );
    this.#measured = this.#uniform.map((row) => {
      const seconds = row.map((costs) => costs.seconds);
      return seconds.every((value) => value !== undefined) ? seconds : undefined;
    });
    this.#ratios = manifest.stages.map(() => []);
    this.#known = manifest.stages.map(() => new Map());
  }

  /** Stores the measured seconds of a stage at each level, and forgets the corrections from requests. */
  set(stage: number, seconds: readonly number[]): void {
    this.#measured[stage] = [...seconds];
    this.#known[stage]?.clear();
    this.#own.add(stage);
    this.#ratios[stage] = [];
  }

  /**
   * Records one run of a stage, or of several fused stages. The time of fused stages is divided as the table says.
   * @param stages with the MACs of each whole stage, for one sample
   * @param share of the channels that ran, in (0, 1]
   * @param seconds for one sample
   */
  record(stages: readonly StageWork[], share: number, seconds: number): void {
    const known = stages.filter(({ stage }) => this.#measured[stage]).length;
    // Seconds of one stage and MACs of another cannot be added.
    if (known > 0 && known < stages.length) return;
    const whole = stages.reduce((sum, { stage, macs }) => sum + this.#at(stage, macs), 0);
    if (!(whole > 0)) return;
    for (const { stage } of stages) {
      const ratios = this.#ratios[stage];
      ratios?.push(seconds / (whole * share));
      if (ratios && ratios.length > LATEST) ratios.shift();
    }
  }

  /**
   * Measured seconds of stages for one sample, without corrections; undefined if one was not measured on this device.
   */
  measured(stages: readonly StageWork[], share: number): number | undefined {
    if (!stages.every(({ stage }) => this.#own.has(stage))) return undefined;
    return share * stages.reduce((sum, { stage, macs }) => sum + this.#at(stage, macs), 0);
  }

  /** The corrected table, `[stage][level]`; undefined as long as a stage has neither been measured nor run. */
  table(): number[][] | undefined {
    const rows = this.#uniform.map((row, stage) => {
      const ratios = this.#ratios[stage] ?? [];
      if (!this.#measured[stage] && ratios.length === 0) return undefined;
      const factor = ratios.length === 0 ? 1 : median(ratios);
      return row.map(({ macs }, level) => factor * (this.#measured[stage]?.[level] ?? macs));
    });
    return rows.every((row) => row !== undefined) ? rows : undefined;
  }

  /** Seconds of the table, interpolated between two levels by MACs; without a table the MACs themselves. */
  #at(stage: number, macs: number): number {
    const row = this.#uniform[stage] ?? [];
    const seconds = this.#measured[stage];
    if (!seconds) return macs;
    const known = this.#known[stage];
    const before = known?.get(macs);
    if (before !== undefined) return before;
    const found = secondsAtMacs(
      row.map((costs) => costs.macs),
      seconds,
      macs,
    );
    if (known && known.size >= MOST_KNOWN) known.clear();
    known?.set(macs, found);
    return found;
  }
}
