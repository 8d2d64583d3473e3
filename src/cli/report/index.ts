// The comparison report.
export { renderReport } from './render-report.ts';
export type { ReportData, ReportRow } from './report-data.ts';
