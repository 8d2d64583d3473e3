import type { Command } from 'commander';
export function addPrune(_program: Command): void {}
