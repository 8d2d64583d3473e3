// The comparison report.
export { renderReport } from './render-report.ts';
export type { MixRow, ReportData, ReportHeatmap, ReportRow } from './report-data.ts';
