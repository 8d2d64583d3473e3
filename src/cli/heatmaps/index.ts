// Pictures of what matters in a sample, and of channel scores.
export { type PlannedHeatmaps, planHeatmaps, type WrittenHeatmaps } from './heatmaps.ts';
export { addHeatmapOptions, type HeatmapOptions } from './options.ts';
export { reportHeatmaps } from './report-heatmaps.ts';
