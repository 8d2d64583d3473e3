// A process that sends results and may be killed at any moment: ADDRESS QUEUE COUNT.
import { openOutlet } from '../deliver/outlet.ts';
import { transactionOf } from '../fhir/transaction.ts';
import { uuidOf } from '../identity.ts';
import { IMAGE } from './results.ts';

const [url = '', queue = '', count = '0'] = process.argv.slice(2);
await using outlet = await openOutlet(url, { queue, firstRetry: 0.01 });
for (let i = 0; i < Number(count); i++)
  await outlet.send(transactionOf({ ...IMAGE, id: uuidOf('killed', String(i)) }));
process.stdout.write(JSON.stringify(await outlet.flush(20)));
