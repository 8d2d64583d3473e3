// Channels that can only be removed together, and cutting them out of a graph.
export {
  assertPrunable,
  type FrozenChannels,
  findGroups,
  type Group,
  type Grouping,
  type GroupMember,
  type ValueChannels,
} from './groups.ts';
export { type KeptUnits, keptPositions } from './keep.ts';
export { macsCounter, unitMacs } from './macs.ts';
export { maskModel } from './mask.ts';
export { type Reordered, reorderChannels } from './reorder.ts';
export { sliceModel } from './slice.ts';
