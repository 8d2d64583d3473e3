// What a piece of a plan takes on a device: the same for every request of the plan, so it is added up once.
import { must } from '../../util/index.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { type StageSpan, stagesOf } from './stage-fusion.ts';
import type { StageModels } from './stage-model.ts';
import type { StageWork } from './stage-times.ts';

/** Of consecutive whole stages that run as one, or of one segment of a stage; for one sample. */
export interface PieceCosts {
  readonly weightBytes: number;
  readonly activationBytes: number;
  readonly macs: number;
  /** Share of each stage's channels, in (0, 1]. */
  readonly share: number;
  /** The stages, whole. */
  readonly work: readonly StageWork[];
}

interface KnownPieces {
  readonly stages: StageModels;
  readonly pieces: Map<string, PieceCosts>;
}

/** By plan, which serves many requests and never changes. */
const KNOWN = new WeakMap<RunPlan, KnownPieces>();

/** The costs of these stages under a plan. */
export function pieceCosts(stages: StageModels, plan: RunPlan, span: StageSpan): PieceCosts {
  let known = KNOWN.get(plan);
  if (known?.stages !== stages) {
    known = { stages, pieces: new Map() };
    KNOWN.set(plan, known);
  }
  const name = `${span.first} ${span.last}`;
  let costs = known.pieces.get(name);
  if (!costs) {
    costs = addedUp(stages, plan, span);
    known.pieces.set(name, costs);
  }
  return costs;
}

function addedUp(stages: StageModels, plan: RunPlan, span: StageSpan): PieceCosts {
  const { segments } = must(plan.stages[span.first], `stage ${span.first}`);
  const costs = stagesOf(span).map((stage) =>
    stages.costs(stage, plan.levels, plan.stages[stage]?.precision),
  );
  return {
    weightBytes: costs.reduce((sum, { weightBytes }) => sum + weightBytes, 0) / segments.length,
    activationBytes: Math.max(...costs.map(({ activationBytes }) => activationBytes)),
    macs: costs.reduce((sum, { macs }) => sum + macs, 0) / segments.length,
    share: 1 / segments.length,
    work: stagesOf(span).map((stage) => ({ stage, macs: stages.costs(stage, plan.levels).macs })),
  };
}
