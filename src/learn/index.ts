// Learning to decide: the ward, a world in which requests come and everything moves, and policies learned for it.
export { type BatchWard, wardBatch } from './ward/batch.ts';
export type { Battery, Drift, RequestKind, WardParameters } from './ward/parameters.ts';
export { WARD_DEFAULTS, WARD_PRESETS, type WardPreset, wardPreset } from './ward/presets.ts';
export type { Refusal, WardAnswer, WardBatch, WardEnd, WardOutcome, WardQuestion } from './ward/question.ts';
