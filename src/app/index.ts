// Use cases: what the command line does, as a library. Nothing here knows of options, terminals or exit codes.
export { anyPlan, plannerOf, SOLVERS, type SolverName } from './planners.ts';
export {
  type Journal,
  KeptJournal,
  type Progress,
  type Reporter,
  type Said,
  type Skipped,
} from './reporter.ts';
