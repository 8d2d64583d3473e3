// The dashboard's figures: bytes of the first page, when it can be used, and frames while events come. A real browser at a
// gateway as it is shipped, with real requests. Command: npm run bench:dashboard [-- --seconds S] [--loads N].
import { parseArgs } from 'node:util';
import { chromiumPath } from '../test/dashboard/chromium.ts';
import { firstPageTables } from './dashboard/first-page.ts';
import { framesTable } from './dashboard/frames.ts';
import { Requests } from './dashboard/requests.ts';
import { progress } from './lib/progress.ts';
import { writeResults } from './lib/results.ts';
import { servedBundle } from './serve/bundle.ts';
import { build, startGateway } from './serve/processes.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, loads: { type: 'string', default: '15' } },
});
const executablePath = chromiumPath();
if (executablePath === undefined) throw new Error('there is no Chromium here; CHROMIUM may name one');
build();
const { bundle, about } = await servedBundle();
const { chromium } = await import('playwright-core');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const gateway = await startGateway(bundle.dir, ['--workers', '2']);
try {
  const requests = new Requests(gateway.url, bundle);
  // As many as the gateway keeps, before anything is looked at.
  await requests.send(1100);
  const loads = await firstPageTables(browser, gateway.url, Number(values.loads), progress('first page'));
  const frames = await framesTable(
    browser,
    gateway.url,
    requests,
    Number(values.seconds),
    progress('frames'),
  );
  const text = await writeResults('dashboard', {
    title: 'The dashboard',
    command: 'npm run bench:dashboard',
    about: `\`bedside serve\` as it is shipped, with two workers, and Chromium ${browser.version()} without a GPU and without a window on the same machine, 1280 x 860. ${about} Requests are real ones over HTTP; the gateway keeps 1,000 of them.`,
    tables: [...loads, frames],
  });
  process.stdout.write(text);
} finally {
  await browser.close();
  await gateway.stop();
}
