// What a device takes for each stage of a bundle, as a fleet tells it: measured, and kept up by what requests took.
import { type BundleManifest, type StageCosts, stageCosts } from '../../bundle/index.ts';
import { median } from '../../util/index.ts';

/** How many of the latest requests say how fast a stage is now. */
const LATEST = 16;

/** A stage, and its multiply-accumulates for one sample. */
export interface StageWork {
  readonly stage: number;
  readonly macs: number;
}

/** Seconds for one sample by stage and level of the bundle, as a fleet's field `seconds` has them. */
export class StageTimes {
  /** Of whole stages with every group at each level. */
  readonly #uniform: readonly (readonly StageCosts[])[];
  /** `[stage][level]`; undefined where nothing was measured. */
  readonly #measured: (number[] | undefined)[];
  /** Stages that were measured here, and not only by whoever made the bundle. */
  readonly #own = new Set<number>();
  /** By stage: the latest requests' times over those of the table. */
  readonly #ratios: number[][];

  /** Starts from what the bundle says, which was measured elsewhere. */
  constructor(manifest: BundleManifest) {
    this.#uniform = manifest.stages.map(({ index }) =>
      manifest.ratios.map((_, level) =>
        stageCosts(
          manifest,
          index,
          manifest.groups.map(() => level),
        ),
      ),
    );
    this.#measured = this.#uniform.map((row) => {
      const seconds = row.map((costs) => costs.seconds);
      return seconds.every((value) => value !== undefined) ? seconds : undefined;
    });
    this.#ratios = manifest.stages.map(() => []);
  }

  /** What measuring a stage at each level gave; what requests said before is forgotten. */
  set(stage: number, seconds: readonly number[]): void {
    this.#measured[stage] = [...seconds];
    this.#own.add(stage);
    this.#ratios[stage] = [];
  }

  /**
   * One run of a stage, or of several as one: what these took is told apart in the proportion of the table.
   * @param stages with the multiply-accumulates of each whole stage, for one sample
   * @param share of the channels
   * @param seconds for one sample
   */
  record(stages: readonly StageWork[], share: number, seconds: number): void {
    const known = stages.filter(({ stage }) => this.#measured[stage]).length;
    // Seconds of one stage and multiply-accumulates of another cannot be added.
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
   * Seconds for one sample of stages as they were measured, whatever requests took since; undefined where one was not
   * measured here.
   */
  measured(stages: readonly StageWork[], share: number): number | undefined {
    if (!stages.every(({ stage }) => this.#own.has(stage))) return undefined;
    return share * stages.reduce((sum, { stage, macs }) => sum + this.#at(stage, macs), 0);
  }

  /** The table; undefined as long as a stage has neither been measured nor run. */
  table(): number[][] | undefined {
    const rows = this.#uniform.map((row, stage) => {
      const ratios = this.#ratios[stage] ?? [];
      if (!this.#measured[stage] && ratios.length === 0) return undefined;
      const factor = ratios.length === 0 ? 1 : median(ratios);
      return row.map(({ macs }, level) => factor * (this.#measured[stage]?.[level] ?? macs));
    });
    return rows.every((row) => row !== undefined) ? rows : undefined;
  }

  /** Seconds of the table between two levels by multiply-accumulates; without a table these themselves. */
  #at(stage: number, macs: number): number {
    const row = this.#uniform[stage] ?? [];
    const seconds = this.#measured[stage];
    if (!seconds) return macs;
    const next = row.findIndex((costs) => costs.macs <= macs);
    const after = next < 0 ? row.length - 1 : next;
    const [more, less] = [row[Math.max(0, after - 1)]?.macs ?? 0, row[after]?.macs ?? 0];
    const [slow, fast] = [seconds[Math.max(0, after - 1)] ?? 0, seconds[after] ?? 0];
    if (more === less) return fast;
    return fast + ((slow - fast) * Math.max(0, macs - less)) / (more - less);
  }
}
