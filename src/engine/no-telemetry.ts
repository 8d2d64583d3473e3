// Switches ONNX Runtime's telemetry off, before anything loads the runtime: import this file first. On Linux and macOS
// its packages otherwise look up a collector's host, write a device identifier below the home folder, and leave `.ses`
// and `mat-debug-*.log` in the temporary folder. It reads the variable when a process makes its first session.
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BedsideError } from '../util/index.ts';

const VARIABLE = 'ORT_DISABLE_TELEMETRY';
const OFF = '1';

const wasOff = process.env[VARIABLE] === OFF;
/** The runtime was imported elsewhere first, so a session, and with it telemetry, may have started first too. */
const loadedBefore = Object.keys(createRequire(import.meta.url).cache).some((path) =>
  path.includes('onnxruntime-node'),
);
process.env[VARIABLE] = OFF;

let sure = false;

/**
 * Makes sure that the runtime of this process sends and stores nothing of its own.
 * @throws BedsideError E_ENGINE when its telemetry cannot be switched off, or runs already
 */
export function assertNoTelemetry(): void {
  if (sure) return;
  process.env[VARIABLE] = OFF;
  if (environment()[VARIABLE] !== OFF) {
    throw refusal('it cannot be switched off from here: a worker thread has a copy of the environment');
  }
  if (loadedBefore && !wasOff && hasStarted()) throw refusal('it runs already');
  sure = true;
}

/**
 * The environment as native code sees it: `process.env` is only a copy in a worker thread, or where it was replaced.
 */
function environment(): Readonly<Record<string, string | undefined>> {
  const reporter = process.report as typeof process.report & { excludeNetwork: boolean };
  const before = reporter.excludeNetwork;
  // Or the names of all peers of open connections would be looked up.
  reporter.excludeNetwork = true;
  try {
    const report = reporter.getReport() as unknown as {
      readonly environmentVariables: Readonly<Record<string, string>>;
    };
    return report.environmentVariables;
  } finally {
    reporter.excludeNetwork = before;
  }
}

/** Whether telemetry has made its log in this process' life. */
function hasStarted(): boolean {
  const log = join(tmpdir(), `mat-debug-${process.pid}.log`);
  if (!existsSync(log)) return false;
  return statSync(log).mtimeMs >= Date.now() - process.uptime() * 1000 - 1000;
}

function refusal(why: string): BedsideError {
  return new BedsideError('E_ENGINE', `ONNX Runtime would send telemetry from this process: ${why}`, {
    hint: `set ${VARIABLE}=${OFF} in the environment of the process, or import bedside in its main thread before any other use of onnxruntime-node`,
  });
}
