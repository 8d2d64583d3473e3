// What is said of the choice of criteria.
import { describe, expect, it } from 'vitest';
import { unrepairedNote } from '../../app/index.ts';
import { criteria, criteriaHelp } from './ranking.ts';

describe('unrepairedNote', () => {
  it('names criteria that count on a repair, where there is none', () => {
    expect(unrepairedNote(criteria('l1,obs,obs=none'), false)).toMatch(/^obs, obs=none ranks for networks/);
  });

  it('is silent where networks are repaired, and of other criteria', () => {
    expect(unrepairedNote(criteria('obs'), true)).toBeUndefined();
    expect(unrepairedNote(criteria('auto,lrp-gamma,l1'), false)).toBeUndefined();
  });
});

describe('criteriaHelp', () => {
  it('lists every criterion, and what auto compares', () => {
    const text = criteriaHelp(true);
    expect(text).toMatch(/auto +whichever does best by measurement: of obs, .* if the network is repaired/);
    expect(text).toMatch(/obs\[=…\] +the error that stays after the other channels are refit/);
    expect(criteriaHelp(false)).not.toContain('auto ');
  });
});
