// The page that shows samples as a network reads them. The pictures are files beside it.
import { Html, html } from '../html/html.ts';

/** The contents of the page. */
export interface PreviewPage {
  readonly title: string;
  /** Sentences about how the samples were prepared. */
  readonly lines: readonly string[];
  readonly samples: readonly {
    readonly label: string;
    readonly pictures: readonly { readonly file: string; readonly caption: string }[];
  }[];
}

const STYLE = `
body { margin: 0 auto; padding: 2rem 1.5rem; max-width: 80rem; background: #f3f5f7; color: #1b2026;
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
p { margin: .2rem 0; color: #59626d; overflow-wrap: anywhere; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1rem; margin-top: 1.2rem; }
figure { margin: 0; padding: .6rem; background: #fff; border: 1px solid #d9dee4; border-radius: 6px; }
img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; }
`;

/** Renders the page. */
export function previewPage({ title, lines, samples }: PreviewPage): string {
  const figures = samples.map(
    ({ label, pictures }) => html`<figure><figcaption><strong>${label}</strong></figcaption>
${pictures.map(
  ({ file, caption }) => html`<img src="${encodeURIComponent(file)}" alt="${label}">
<figcaption>${caption}</figcaption>
`,
)}</figure>
`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<h1>${title}</h1>
${lines.map((line) => html`<p>${line}</p>\n`)}
<div class="grid">
${figures}</div>
</body>
</html>
`.text;
}
