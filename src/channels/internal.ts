// For sibling folders only: nothing here is published.

export type { FrozenChannels, Group, GroupMember } from './groups.ts';
export { keptPositions } from './keep.ts';
export { macsCounter, unitMacs } from './macs.ts';
export { reorderChannels } from './reorder.ts';
