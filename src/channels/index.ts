// Channels that can only be removed together, and cutting them out of a graph.
export { assertPrunable, findGroups, type Grouping } from './groups.ts';
export type { KeptUnits } from './keep.ts';
export { maskModel } from './mask.ts';
export { sliceModel } from './slice.ts';
