// Metrics and alerts as Prometheus' own tool sees them (skipped where it is missing: apt install prometheus).
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Served } from '../service/served-model.ts';
import { Metrics } from './metrics.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) process.stderr.write('promtool is not on the PATH: its checks are skipped\n');
const RULES = new URL('../../../examples/prometheus-rules.yml', import.meta.url);

function promtool(words: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync('promtool', words, { input, encoding: 'utf8' });
  return status === 0 ? `${stdout}${stderr}` : `status ${status}: ${stdout}${stderr}`;
}

const part = { segment: 0, device: 'a', arrived: 0, started: 0.25, ended: 0.75, bytes: 8 };
const run = {
  timeline: [
    { ...part, stage: 0, last: 1 },
    { ...part, stage: 2, last: 2, bytes: 4 },
  ],
};
const served = {
  ...{ waited: 0.001, computed: 0.002, variant: 3, variants: [3, undefined, 0] },
  answer: { model: 'ecg' },
  results: [
    { ...run, plan: { energy: 0.5 }, fallback: 'none', replanned: 1 },
    { ...run, plan: {}, fallback: 'none', replanned: 0 },
    { ...run, plan: {}, fallback: 'taken', replanned: 0 },
  ],
} as unknown as Served;

async function metricsText(): Promise<string> {
  const metrics = await Metrics.create({
    queues: () => [{ model: 'ecg', waiting: 1, running: 2 }],
    lost: () => [{ model: 'ecg', devices: 1 }],
  });
  metrics.answered(served, 0.004);
  metrics.failed('ecg', 'E_BUSY');
  metrics.moved('in', 10);
  return (await metrics.text()).body;
}

it('counts stages by variant, and the bytes between devices', async () => {
  const text = await metricsText();
  const count = (labels: string): string | undefined =>
    new RegExp(`^bedside_stage_seconds_count\\{${labels}\\} (\\d+)$`, 'm').exec(text)?.[1];
  expect(count('model="ecg",variant="3",stage="0-1",part="compute"')).toBe('1');
  expect(count('model="ecg",variant="none",stage="2",part="wait"')).toBe('1');
  // Stages of two variants behind one answer are of neither.
  expect(text).not.toContain('variant="0"');
  expect(text).toMatch(/^bedside_stage_seconds_sum\{.*variant="3",stage="2",part="compute"\} 0\.5$/m);
  expect(text).toContain('bedside_device_bytes_total{model="ecg"} 36');
});

it.skipIf(!hasPromtool)('has metrics that promtool has nothing to say about', async () => {
  expect(promtool(['check', 'metrics'], await metricsText())).toBe('');
});

it.skipIf(!hasPromtool)('has alerts that promtool reads', () => {
  expect(promtool(['check', 'rules', RULES.pathname])).toMatch(/SUCCESS: \d+ rules found/);
});

it('has alerts of metrics that there are', async () => {
  const known = new Set((await metricsText()).match(/^# TYPE (\S+)/gm)?.map((line) => line.slice(7)));
  const used = readFileSync(RULES, 'utf8').match(/\bbedside_[a-z_]+/g) ?? [];
  expect(used.length).toBeGreaterThan(4);
  expect(used.map((name) => name.replace(/_bucket$/, '')).filter((name) => !known.has(name))).toEqual([]);
});
