// Live signals: heartbeats of one lead as they come, how well they are found, and what the signal is worth.

export {
  type BeatComparison,
  type BeatCounts,
  type ComparedBeats,
  compareBeats,
  type DetectionShares,
  detectionShares,
  overallDetection,
} from './ec57.ts';
export { type LinePiece, PacketLine, type SignalPacket } from './packet-line.ts';
export { type DetectedBeat, MOST_QRS_DELAY, QRS_RATES, QrsDetector } from './qrs-detector.ts';
export { type QualityChange, type QualityRules, QualityWatch } from './quality.ts';
export { RHYTHM_DEFAULTS, type RhythmRules, type RhythmSummary, RhythmWatch } from './rhythm.ts';
