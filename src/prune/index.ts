// Structured pruning: groups of coupled channels, choice of channels, cut and masked models.
export {
  assertPrunable,
  type FrozenChannels,
  findGroups,
  type Group,
  type Grouping,
  type GroupMember,
  type ValueChannels,
} from './groups.ts';
export type { Keep } from './keep.ts';
