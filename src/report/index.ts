// Pages and pictures for people: the comparison page, heatmaps, and the chart of a bundle's frontier. Everything here turns figures into
// HTML, SVG or sentences; nothing runs a network or reads a file.
export { figureWord } from '../bundle/internal.ts';
export { classNames } from './card/class-names.ts';
export { type CardBundle, modelCard } from './card/model-card.ts';
export { renderReport } from './comparison/render-report.ts';
export type { ReportData, ReportHeatmap, ReportRow, SourceRow } from './comparison/report-data.ts';
export {
  agreementTitle,
  type FrontierRow,
  formatFigure,
  frontierRows,
  levelsText,
  type MeasuredBundle,
  measureTitle,
  measureWord,
  shownRows,
} from './frontier/frontier.ts';
export { frontierChart } from './frontier/frontier-chart.ts';
export { type DrawnSample, drawAll, sectionsOf } from './heatmaps/draw.ts';
export { type BeatGeometry, type ExplainedSample, predicted } from './heatmaps/explained.ts';
export { type IndexPage, indexPage } from './heatmaps/index-page.ts';
export { beatGeometry, type PictureKind, pictureKind } from './heatmaps/kinds.ts';
export { layersPicture } from './heatmaps/layers-picture.ts';
export { type PlainPicture, relevanceOverlay } from './heatmaps/overlay.ts';
export { type PreviewPage, previewPage } from './preview/preview-page.ts';
export { type PreviewedInput, type SamplePicture, samplePicture } from './preview/sample-picture.ts';
export { describeUncounted } from './uncounted.ts';
