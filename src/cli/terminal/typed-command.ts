// The command line of this process.

/** The command as typed, quoted where a shell needs it. */
export function typedCommand(): string {
  const quote = (word: string): string =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  return ['bedside', ...process.argv.slice(2).map(quote)].join(' ');
}
