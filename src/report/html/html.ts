// HTML from template strings. Every interpolated value is escaped unless it is HTML already.
import { plainText } from '../../util/index.ts';

/** Text that is HTML. Only `html` makes it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value in a template. Lists are joined; `undefined` and `false` print nothing. */
export type HtmlPart = Html | string | number | undefined | false | readonly HtmlPart[];

/** Builds HTML from a template; escapes strings for text and for quoted attributes. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  let text = strings[0] ?? '';
  parts.forEach((part, i) => {
    text += render(part) + (strings[i + 1] ?? '');
  });
  return new Html(text);
}

/** Escapes text for element content and quoted attributes. Control characters become visible, as in a terminal. */
export function escapeHtml(text: string): string {
  return plainText(text).replace(/[&<>"']/g, (char) => ESCAPES[char] ?? char);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function render(part: HtmlPart): string {
  if (part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'string') return escapeHtml(part);
  if (typeof part === 'number') return String(part);
  return part.map(render).join('');
}
