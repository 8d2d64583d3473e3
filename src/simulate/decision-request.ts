// Decision requests of a ward, the planner's responses, and the outcome of every request.
import type { PlanningProblem } from '../plan/index.ts';
import type { PlanningInstance, StageDecision, Violation } from '../plan/internal.ts';

/** One request, on the fleet as it is when its planning begins. */
export interface DecisionRequest {
  /** Number of the ward, and of the request in it; both from 0. */
  readonly ward: number;
  readonly request: number;
  /** Seconds since the start of the ward: when the request came, and when its planning begins. */
  readonly arrived: number;
  readonly time: number;
  /** Index of its bundle and of its kind. */
  readonly bundle: number;
  readonly kind: number;
  /** Seconds from `arrived` to its deadline. */
  readonly deadline: number;
  /** The planning problem. Its deadline is the time left after waiting for the planner and planning. */
  readonly problem: PlanningProblem;
  /** Of `problem`. */
  readonly instance: PlanningInstance;
  /** Least deadline that requests of this kind come with, for plans that shall serve many of them. Seconds. */
  readonly leastDeadline: number;
  /** By device of the instance: its index in the ward's fleet. Devices that are away are not in the instance. */
  readonly devices: readonly number[];
  /** By device of the instance: how many times as long as by the ward's fleet it computes now. */
  readonly slowdown: Float64Array;
}

/** A planner's response; without decisions the request is refused. */
export interface DecisionResponse {
  readonly decisions?: readonly StageDecision[] | undefined;
  /** The instance that `decisions` index, where it is not the question's own: same devices, other lists of sets. */
  readonly instance?: PlanningInstance | undefined;
  /** Seconds of deciding, counted against the deadline; 0 if absent. */
  readonly seconds?: number | undefined;
}

/**
 * How a request ended, once: `served` in time, `late` (no result at its deadline), `lost` (a device left with what it
 * had) or `refused` (not begun).
 */
export type RequestEnd = 'served' | 'late' | 'lost' | 'refused';

/** Why a request was refused. */
export type Refusal = 'no plan' | 'no time' | 'broken plan' | 'device left' | 'memory' | 'energy';

/** Outcome of one request. Seconds, joules. */
export interface RequestOutcome {
  readonly ward: number;
  readonly request: number;
  readonly bundle: number;
  readonly kind: number;
  readonly arrived: number;
  readonly deadline: number;
  readonly end: RequestEnd;
  readonly refusal?: Refusal | undefined;
  /** From arrival to the result; the deadline where there is none. */
  readonly latency: number;
  /** Its parts: waiting for the planner, and planning. */
  readonly queued: number;
  readonly deciding: number;
  /** Spent by all devices. */
  readonly energy: number;
  /** By the bundle's model; 0 without a result. */
  readonly accuracy: number;
  /** `time * latency + energy * energy + accuracy * (1 - accuracy)`, of what came out. */
  readonly objective: number;
  /** Constraints that the plan broke on the fleet that its planner saw; such a plan is refused. */
  readonly violations: readonly Violation[];
  /** The plan's, on the fleet that its planner saw; NaN without a plan. */
  readonly predicted: { readonly latency: number; readonly objective: number };
}

/**
 * Many wards for training. They step together; each stops at its next request.
 * `next` gives the open question of every ward, `answer` lets the ward run the plan and go on.
 */
export interface WardBatch {
  readonly count: number;
  /** One question for each ward, in their order; the same ones until they are answered. */
  next(): readonly DecisionRequest[];
  answer(question: DecisionRequest, answer: DecisionResponse): void;
  /** Outcomes since the last call. */
  outcomes(): readonly RequestOutcome[];
}
