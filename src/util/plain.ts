// Text that others wrote (names in models and files, what peers say) as it may go to a terminal, a page or a log: whatever
// would move the cursor, colour, hide, turn around or break what is shown is written out as an escape.

/** Control and format characters, line separators, lone halves of pairs, non-characters; not the joiners that scripts need. */
const UNSAFE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\ufffe\uffff]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A name or a sentence as one line: `a\nb` for a line feed between them, `\u001b[31m` for a terminal's red. */
export function plainLine(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** Text of several lines: line feeds and tabs stay, all else is as in `plainLine`. */
export function plainText(text: string): string {
  return text.replace(UNSAFE, (char) => (char === '\n' || char === '\t' ? char : escaped(char)));
}

/** JSON text that means the same and shows nothing unsafe: such characters stand in strings only, where escapes may. */
export function plainJson(json: string): string {
  return json.replace(UNSAFE, (char) =>
    Array.from({ length: char.length }, (_, i) => `\\u${hex(char.charCodeAt(i), 4)}`).join(''),
  );
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return SHORT[char] ?? (code > 0xffff ? `\\u{${hex(code, 0)}}` : `\\u${hex(code, 4)}`);
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
