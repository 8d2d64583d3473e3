// Every tolerance of planning, in one place. The plan checker repeats its own on purpose.

/** Relative slack of every limit: it absorbs rounding and permits nothing. */
export const SLACK = 1e-9;

/** A limit times this is the limit with its slack. */
export const SLACK_FACTOR = 1 + SLACK;

/** Slack of limits in shares while the exact planner searches: a little below `SLACK`, so that what it keeps passes. */
export const SEARCH_SLACK = 9e-10;

/** Costs and shares closer than this count as equal when labels are compared. */
export const LABEL_TOLERANCE = 1e-13;

/** A bound must rise by this share of itself to count as better, and a plan this close to its bound is the best. */
export const BOUND_TOLERANCE = 1e-9;

/** A price at or below this counts as none. */
export const PRICE_TOLERANCE = 1e-9;

/** A subgradient whose squared length is below this is zero. */
export const LEAST_NORM = 1e-14;

/** Relative gap at which a plan counts as optimal unless a request says otherwise. */
export const DEFAULT_GAP = 1e-6;

/** Local search takes a change that lowers the objective by more than this. */
export const LEAST_GAIN = 1e-12;

/** An accuracy this close to the floor, relative, reaches it when measured variants are put on the grid. */
export const FLOOR_TOLERANCE = 1e-12;

/** Feasibility tolerance of HiGHS. Its own default of 1e-6 shows in accuracy and memory near their limits. */
export const HIGHS_TOLERANCE = 1e-8;
