// A scenario that writes its world and requests to a file while it runs.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { recorded, type Scenario } from '../../simulate/index.ts';
import { BedsideError } from '../../util/index.ts';

/** A scenario under recording. */
export interface Recording {
  readonly scenario: Scenario;
  /**
   * Closes the file.
   * @throws BedsideError E_OUTPUT if a line could not be written
   */
  end(): Promise<void>;
}

/** Records a scenario as a trace, which `simulate` can replay. */
export function recording(scenario: Scenario, path: string): Recording {
  const stream = createWriteStream(path);
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure = error;
  });
  return {
    scenario: recorded(scenario, (line) => {
      stream.write(`${line}\n`);
    }),
    async end() {
      stream.end();
      if (!stream.closed && !failure) await Promise.race([once(stream, 'close'), once(stream, 'error')]);
      if (failure) {
        throw new BedsideError('E_OUTPUT', `cannot write ${path}: ${failure.message}`, {
          hint: 'check the space that is left on the disk',
          cause: failure,
        });
      }
    },
  };
}
