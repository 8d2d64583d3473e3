import { expect, it } from 'vitest';
import { limitNotes, MAX_NOTES, NOTES_MS } from './note-limiter.ts';

it('notes are few at a time, and the others are counted', () => {
  const told: string[] = [];
  let now = 0;
  const note = limitNotes(
    (text) => told.push(text),
    () => now,
  );
  for (let at = 0; at < 500; at++) note(`${at}`);
  expect(told).toHaveLength(MAX_NOTES);
  now = NOTES_MS;
  note('later');
  expect(told.slice(MAX_NOTES)).toEqual(['480 more notes like these were left out', 'later']);
});
