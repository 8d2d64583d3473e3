// A planned request for people: the plan beside those of simpler planners, and whether its accuracy has been measured.
import { roundsAnything } from '../../../app/options.ts';
import type { PlanResult } from '../../../app/plan/plan.ts';
import { formatFigure, measureTitle } from '../../../report/index.ts';
import { formatPercent, formatSeconds, must, plainLine } from '../../../util/index.ts';
import { describeTotals, describeView, type TotalsRow } from './timeline.ts';

/** Everything about the plan, or why there is none. */
export function describePlan(result: PlanResult): string {
  const { bundle, problem, solver, status, view, gap, seconds } = result;
  const { request, accuracyFloor } = problem;
  const privacy = request.maxSeen ? 'by stage' : request.privacy;
  const figure = figureOf(result);
  const limits = `within ${formatSeconds(request.deadline)}, ${figure.name} at least ${figure.format(accuracyFloor)}`;
  const input = request.rawInput === 'trusted' ? ', raw input to trusted devices' : '';
  const title = plainLine(
    `${bundle.manifest.name} on ${problem.fleet.name}: ${limits}, ${request.levels} levels, privacy ${privacy}${input}`,
  );
  const baselines: TotalsRow[] = result.baselines.map(({ solver: name, reason, ...totals }) => ({
    ...{ name, totals, note: reason },
  }));
  if (!view) return [title, '', describeNoPlan(result), '', describeTotals(baselines, figure)].join('\n');
  const proof = status === 'optimal' ? 'proven optimal' : `gap ${formatPercent(gap ?? 0)} to what is proven`;
  const own = { name: solver, totals: view, note: `${proof}, found in ${formatSeconds(seconds)}` };
  return [
    ...[title, '', describeView(view), '', describeTotals([own, ...baselines], figure), ''],
    ...describeProposals(result),
    ...describeEvidence(result),
  ].join('\n');
}

/** What the bundle's measure is called (accuracy, or the main measure of another task), and how it is written. */
function figureOf({ bundle: { manifest } }: PlanResult) {
  const { measure } = manifest.accuracy;
  return {
    name: measure === 'balanced' ? 'accuracy' : measureTitle(manifest),
    format: (value: number) => formatFigure(manifest, value),
  };
}

/** Whether the plan's accuracy has been measured, and if not, how to measure it. */
function describeEvidence(result: PlanResult): string[] {
  const { variant, levels, bundle } = result;
  const figure = figureOf(result);
  const { manifest, dir } = bundle;
  if (variant !== null) {
    const { accuracy, lowerBound, eightBit } = must(manifest.variants[variant], 'a variant');
    const text = (measured: { accuracy: number; lowerBound: number }) =>
      `${figure.name} ${figure.format(measured.accuracy)}, at least ${figure.format(measured.lowerBound)} with 95 % confidence`;
    const rounds = roundsAnything(result.stages);
    if (!rounds) {
      return [
        `these levels have been measured: variant ${variant} of the bundle, ${text({ accuracy, lowerBound })}`,
      ];
    }
    return [
      `variant ${variant} of the bundle was measured in float32: ${text({ accuracy, lowerBound })}`,
      eightBit
        ? `with everything in eight bits: ${text(eightBit)}; a plan with some stages in eight bits lies between`
        : 'it was not measured in eight bits: what these lose is predicted from each stage alone',
    ];
  }
  const { meanError, maxError } = manifest.accuracy;
  return [
    `${figure.name} is predicted (mean error ${meanError.toFixed(3)}, at most ${maxError.toFixed(3)} on checked level vectors); to measure these levels before they run:`,
    `bedside pack ${plainLine(dir)} --certify ${must(levels, 'levels').join(',')} --data …   (or this command with --data)`,
  ];
}

/** The predicted and the measured accuracy of free levels. */
function describeProposals(result: PlanResult): string[] {
  const { proposals, problem } = result;
  const { format } = figureOf(result);
  return proposals.map(
    ({ levels, predicted, accuracy, variant }) =>
      `free levels ${levels.join(',')}: predicted ${format(predicted)}, measured ${format(accuracy)}, ` +
      `${accuracy >= problem.accuracyFloor ? 'keeps' : 'BREAKS'} the floor; variant ${variant}`,
  );
}

function describeNoPlan({ status, diagnosis, solver }: PlanResult): string {
  if (status === 'infeasible') return `infeasible, proven: ${plainLine(diagnosis?.text ?? '')}`;
  if (diagnosis) return `unknown: no plan was found, which proves nothing; ${plainLine(diagnosis.text)}`;
  return `unknown: ${solver} found no plan, which proves nothing; try --solver exact or a longer --time-limit`;
}
