// The reader against Debian's libedf, on files that each of them writes.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { edfFile, type MadeEdf } from '../test-support/edf-file.ts';
import { readEdf } from './reader.ts';

const hasLibrary =
  existsSync('/usr/include/edflib.h') &&
  ((): boolean => {
    try {
      execFileSync('cc', ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
if (!hasLibrary) console.log('skipped: no C compiler with edflib.h (libedf-dev) to compare with');

/** `read FILE` prints what it holds, `write FILE TYPE` writes a file of two signals and three annotations. */
const PROGRAM = String.raw`
#include <edflib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int reads(const char *path) {
  static struct edf_hdr_struct h;
  if (edfopen_file_readonly(path, &h, EDFLIB_READ_ALL_ANNOTATIONS)) { printf("{\"error\":%d}", h.filetype); return 0; }
  printf("{\"type\":%d,\"seconds\":%.9g,\"subsecond\":%lld,\"signals\":[", h.filetype, h.file_duration / 1e7, h.starttime_subsecond);
  for (int s = 0; s < h.edfsignals; s++) {
    int n = (int)h.signalparam[s].smp_in_file;
    double *buf = malloc(sizeof(double) * n);
    n = edfread_physical_samples(h.handle, s, n, buf);
    printf("%s{\"label\":\"%s\",\"unit\":\"%s\",\"perRecord\":%d,\"samples\":[", s ? "," : "", h.signalparam[s].label,
      h.signalparam[s].physdimension, h.signalparam[s].smp_in_datarecord);
    for (int i = 0; i < n; i++) printf("%s%.17g", i ? "," : "", buf[i]);
    printf("]}");
    free(buf);
  }
  printf("],\"annotations\":[");
  for (int a = 0; a < h.annotations_in_file; a++) {
    struct edf_annotation_struct one;
    edf_get_annotation(h.handle, a, &one);
    printf("%s{\"time\":%.9g,\"seconds\":%.9g,\"text\":\"%s\"}", a ? "," : "", one.onset / 1e7, one.duration_l / 1e7, one.annotation);
  }
  printf("]}");
  edfclose_file(h.handle);
  return 0;
}
static int writes(const char *path, int type) {
  int rates[2] = {100, 25};
  int f = edfopen_file_writeonly(path, type, 2);
  if (f < 0) return 1;
  int full = type == EDFLIB_FILETYPE_BDFPLUS ? 8388607 : 32767;
  for (int s = 0; s < 2; s++) {
    edf_set_samplefrequency(f, s, rates[s]);
    edf_set_physical_maximum(f, s, 3000); edf_set_physical_minimum(f, s, -3000);
    edf_set_digital_maximum(f, s, full); edf_set_digital_minimum(f, s, -full - 1);
    edf_set_label(f, s, s ? "Resp chest" : "ECG II"); edf_set_physical_dimension(f, s, s ? "mV" : "uV");
  }
  edf_set_patientname(f, "NAME TEST");
  edf_set_startdatetime(f, 2026, 1, 31, 23, 59, 59);
  edf_set_subsecond_starttime(f, 2500000);
  double buf[100];
  for (int r = 0; r < 5; r++)
    for (int s = 0; s < 2; s++) {
      for (int i = 0; i < rates[s]; i++) buf[i] = 1000 * sin((r * rates[s] + i) * 0.1 * (s + 1));
      edfwrite_physical_samples(f, buf);
    }
  edfwrite_annotation_latin1(f, 5000, -1, "N");
  edfwrite_annotation_latin1(f, 12000, 13000, "Sleep stage W");
  edfwrite_annotation_utf8(f, 43210, -1, "V");
  return edfclose_file(f);
}
int main(int argc, char **argv) { return strcmp(argv[1], "read") ? writes(argv[2], atoi(argv[3])) : reads(argv[2]); }
`;

interface Theirs {
  readonly type: number;
  readonly seconds: number;
  readonly signals: readonly { label: string; unit: string; perRecord: number; samples: number[] }[];
  readonly annotations: readonly { time: number; seconds: number; text: string }[];
}

describe.skipIf(!hasLibrary)('a recording as libedf reads it', () => {
  let folder = '';
  const at = (name: string): string => join(folder, name);
  const theirs = (path: string): Theirs =>
    JSON.parse(execFileSync(at('libedf'), ['read', path], { encoding: 'utf8' }));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edf-'));
    await writeFile(at('libedf.c'), PROGRAM);
    execFileSync('cc', ['-o', at('libedf'), at('libedf.c'), '-ledf', '-lm']);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function compare(path: string): Promise<void> {
    const own = await readEdf(path);
    const other = theirs(path);
    expect(own.format).toBe(['EDF', 'EDF+', 'BDF', 'BDF+'][other.type]);
    expect(own.seconds).toBeCloseTo(other.seconds, 6);
    expect(own.signals.map(({ label, unit }) => [label, unit])).toEqual(
      other.signals.map(({ label, unit }) => [label.trim(), unit.trim()]),
    );
    for (const [i, signal] of own.signals.entries()) {
      const samples = other.signals[i]?.samples ?? [];
      expect(signal.samples.length).toBe(samples.length);
      const most = samples.reduce(
        (worst, value, j) => Math.max(worst, Math.abs(value - (signal.samples[j] ?? 0))),
        0,
      );
      expect(most).toBeLessThan(1e-9 * Math.max(...samples.map(Math.abs)));
      expect(signal.rate * other.seconds).toBeCloseTo(samples.length, 6);
    }
    expect(own.annotations.length).toBe(other.annotations.length);
    for (const [i, annotation] of own.annotations.entries()) {
      expect(annotation.text).toBe(other.annotations[i]?.text);
      expect(annotation.time).toBeCloseTo(other.annotations[i]?.time ?? Number.NaN, 6);
      expect(annotation.seconds ?? -1).toBeCloseTo(other.annotations[i]?.seconds ?? Number.NaN, 6);
    }
  }

  it.each([
    ['EDF+', 1],
    ['BDF+', 3],
  ])('of %s that libedf writes', async (_, type) => {
    execFileSync(at('libedf'), ['write', at('written'), String(type)]);
    await compare(at('written'));
    const { startsAt, annotations } = await readEdf(at('written'));
    expect(startsAt).toBe('2026-01-31T23:59:59.250');
    expect(annotations.map(({ text }) => text)).toEqual(['N', 'Sleep stage W', 'V']);
  });

  it.each([
    ['EDF', {}],
    ['EDF of odd rates and records', { recordSeconds: 0.25 }],
    ['BDF', { bits: 24 }],
    [
      'EDF+',
      {
        annotations: [
          { time: 1.5, text: 'été' },
          { time: 2, seconds: 0.5, text: 'x' },
        ],
      },
    ],
    ['BDF+', { bits: 24, annotations: [{ time: 0.25, text: 'N' }] }],
    ['EDF+ that begins within a second', { firstOnset: 0.5, annotations: [{ time: 1.25, text: 'N' }] }],
  ] as const)('of %s that tests write', async (_, more: Partial<MadeEdf>) => {
    const random = new Random(3);
    const samples = (count: number, range: number) =>
      Array.from({ length: count }, () => (random.uniform() - 0.5) * range);
    const signals = [
      { label: 'ECG II', unit: 'mV', perRecord: 50, samples: samples(200, 9), physical: [-5, 5] as const },
      {
        label: 'SaO2',
        unit: '%',
        perRecord: 1,
        samples: samples(4, 50),
        physical: [0, 100] as const,
        digital: [0, 4095] as const,
      },
      {
        label: 'upside down',
        unit: 'uV',
        perRecord: 7,
        samples: samples(28, 900),
        physical: [500, -500] as const,
      },
    ];
    await writeFile(at('made.edf'), edfFile({ signals, ...more }));
    await compare(at('made.edf'));
  });
});
