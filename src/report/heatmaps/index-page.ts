// The page that shows all pictures of a folder, by class. The pictures are files beside it.
import { Html, html } from '../html/html.ts';

/** The contents of the page. */
export interface IndexPage {
  readonly title: string;
  readonly lead: string;
  /** One section for each class, in order, with its pictures. */
  readonly sections: readonly {
    readonly name: string;
    readonly pictures: readonly { readonly file: string; readonly title: string }[];
  }[];
  /** File name of the picture of the channel scores. */
  readonly layers: string;
}

const STYLE = `
* { box-sizing: border-box; }
html { color-scheme: light; }
body {
  margin: 0 auto; padding: 2.2rem 1.5rem 3rem; max-width: 126rem; background: #f3f5f7; color: #1b2026;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif;
}
h1 { margin: 0 0 .4rem; font-size: 1.7rem; line-height: 1.2; font-weight: 650; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.15rem; font-weight: 650; overflow-wrap: anywhere; }
p { margin: 0; color: #59626d; max-width: 60rem; overflow-wrap: anywhere; }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .4rem 1.1rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 29rem), 1fr)); gap: 1.1rem; }
.grid a, .wide a { display: block; background: #fff; border: 1px solid #d9dee4; border-radius: 6px; overflow: hidden; }
.wide { max-width: 60rem; }
img { display: block; width: 100%; height: auto; }
a:focus-visible { outline: 3px solid #0067a3; }
@media print { body { background: #fff; padding: 0; } .grid a { break-inside: avoid; } }
`;

/** Renders the page. */
export function indexPage({ title, lead, sections, layers }: IndexPage): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<h1>${title}</h1>
<p>${lead}</p>
<nav>${sections.map(({ name }, i) => html`<a href="#class-${i}">${name}</a> `)}<a href="#layers">Channels</a></nav>
${sections.map(
  ({ name, pictures }, i) => html`<h2 id="class-${i}">${name}</h2>
<div class="grid">${pictures.map(({ file, title: alt }) => picture(file, alt))}</div>
`,
)}<h2 id="layers">Channels</h2>
<div class="wide">${picture(layers, 'Scores of the channels of each layer')}</div>
</body>
</html>
`;
  return page.text;
}

function picture(file: string, alt: string): Html {
  const href = encodeURIComponent(file);
  return html`<a href="${href}"><img src="${href}" alt="${alt}" loading="lazy"></a>
`;
}
