import { expect, it } from 'vitest';
import { waitUntil } from './wait.ts';

it('ends behind the moment, and lets timers and messages have their turns before it', async () => {
  for (const rest of [-1, 0.3, 1.7, 4.2]) {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const moment = performance.now() + rest;
    await waitUntil(moment);
    clearInterval(timer);
    expect(performance.now()).toBeGreaterThanOrEqual(moment);
    if (rest > 4) expect(turns).toBeGreaterThan(0);
  }
});
