// Names that a person can read and every LP reader accepts: letters, digits, `_` and `.`.

const LONGEST = 20;

/** Names made safe and kept apart. */
export function safeNames(names: readonly string[]): string[] {
  const used = new Set<string>();
  return names.map((name, index) => {
    const plain = name.replace(/[^A-Za-z0-9]+/g, '_').slice(0, LONGEST);
    // A name that begins with e and a digit could be read as a number.
    const safe = /^[a-df-z]/i.test(plain) ? plain : `n_${plain}`;
    const own = used.has(safe) ? `${safe}_${index}` : safe;
    used.add(own);
    return own;
  });
}
