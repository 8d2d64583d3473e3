// Results as HL7 v2 over MLLP: read by a parser that nobody here wrote, and delivered whatever networks and receivers do.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Outlet } from '../deliver/outlet.ts';
import { uuidOf } from '../identity.ts';
import type { Result } from '../result.ts';
import { hasOpenssl, selfSigned } from '../test-support/certificate.ts';
import {
  type Acknowledgement,
  hasHl7Parser,
  MllpReceiver,
  type ParsedPart,
  PythonReceiver,
} from '../test-support/mllp-receiver.ts';
import { BEATS, IMAGE } from '../test-support/results.ts';
import { type Hl7Message, messageOf } from './message.ts';
import { type Hl7OutletOptions, openHl7Outlet } from './mllp.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-hl7-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (place: string, options: Partial<Hl7OutletOptions> = {}): Promise<Outlet<Hl7Message>> =>
  openHl7Outlet(place.includes('//') ? place : `mllp://${place}`, {
    ...{ queue: join(folder, 'queue'), firstRetry: 0.005 },
    ...options,
  });
const numbered = (i: number): Hl7Message => messageOf({ ...IMAGE, id: uuidOf('result', String(i)) });

/** The text of a component of a parsed field; one that has no others is the text itself. */
function component(field: ParsedPart | undefined, i = 0): string {
  let at: ParsedPart = field ?? '';
  if (typeof at !== 'string') at = at[0] ?? '';
  if (typeof at === 'string') return i === 0 ? at : '';
  at = at[i] ?? '';
  return typeof at === 'string' ? at : String(at[0] ?? '');
}

const NASTY = 'a|b^c~d\\e&f µV – 心\r\nMSH|x';

describe.skipIf(!hasHl7Parser)('messages as python3-hl7 reads them', () => {
  it('hold a period of heartbeats', async () => {
    const receiver = await PythonReceiver.start();
    try {
      await using outlet = await open(receiver.place);
      const how = { ...BEATS.how, remarks: [NASTY] };
      const result: Result = {
        ...BEATS,
        how,
        patientIdentifier: '123^^^WARD&1.2.3&ISO^MR',
        classes: [...BEATS.classes.slice(0, 4), NASTY],
      };
      await outlet.send(messageOf(result));
      expect(await outlet.flush(10)).toMatchObject({ delivered: 1, waiting: 0, refused: 0 });
      const [message = []] = receiver.messages;
      const all = (name: string) => message.filter(([own]) => component(own) === name);
      const [msh = [], pid = [], obr = []] = ['MSH', 'PID', 'OBR'].map((name) => all(name)[0]);
      expect([component(msh[9]), component(msh[9], 1), component(msh[9], 2)]).toEqual([
        'ORU',
        'R01',
        'ORU_R01',
      ]);
      expect([component(msh[12]), component(msh[18]), component(msh[11])]).toEqual([
        '2.5.1',
        'UNICODE UTF-8',
        'P',
      ]);
      expect([component(pid[3]), component(pid[3], 3), component(pid[3], 4)]).toEqual(['123', 'WARD', 'MR']);
      expect([component(obr[4]), component(obr[4], 2), component(obr[25])]).toEqual(['11524-6', 'LN', 'P']);
      expect([component(obr[7]), component(obr[8])]).toEqual([
        '20260301100000.000+0000',
        '20260301100100.000+0000',
      ]);
      const values = new Map(all('OBX').map((obx) => [component(obx[3]), obx]));
      for (const obx of values.values())
        expect([component(obx[11]), component(obx[17])]).toEqual(['P', 'AIAST']);
      expect(component(values.get('8867-4')?.[5])).toBe('70.5882');
      expect(component(values.get('8867-4')?.[6])).toBe('/min');
      for (const i of BEATS.classes.keys()) {
        const count = BEATS.beats.filter((beat) => beat.class === i).length;
        expect(component(values.get(`BEATS-${i}`)?.[5])).toBe(String(count));
      }
      expect(component(values.get('BEATS-4')?.[3], 1)).toBe(`Heartbeats of class ${NASTY}`);
      expect(component(values.get('UNANSWERED')?.[5])).toBe('1');
      const csv = Buffer.from(component(values.get('BEATS')?.[5], 4), 'base64')
        .toString()
        .trim()
        .split('\n');
      expect(csv.length).toBe(1 + BEATS.beats.length);
      const notes = all('NTE').map((nte) => component(nte[3]));
      expect(notes[0]).toMatch(/^Preliminary: an algorithm asserted this/);
      expect(notes).toContain(NASTY);
      expect(notes.join()).not.toContain('No patient was named');
      expect(notes.join()).toContain(
        'answered at levels 0,1,2; 0,0,0, chosen by policy, computed by wearable, hub.',
      );
    } finally {
      await receiver.close();
    }
  });

  it('hold an image, its study, and no patient', async () => {
    const receiver = await PythonReceiver.start();
    try {
      await using outlet = await open(receiver.place);
      await outlet.send(messageOf(IMAGE));
      await outlet.flush(10);
      const [message = []] = receiver.messages;
      expect(message.map(([name]) => component(name))).not.toContain('PID');
      const obx = message.filter(([name]) => component(name) === 'OBX');
      expect(obx.map((own) => [component(own[3]), component(own[5])])).toEqual([
        ['113014', '1.2.826.0.1.3680043.2.1'],
        ['ANSWER', 'ChestCT'],
        ['PART-0', '0.912346'],
        ['PART-1', '0.0876543'],
      ]);
      expect(message.map((own) => component(own[3])).join()).toContain('No patient was named');
    } finally {
      await receiver.close();
    }
  });
});

describe('a receiver', () => {
  const MESSAGES: readonly [string, readonly Acknowledgement[], object, number][] = [
    ['that takes it', [{ code: 'AA' }], { delivered: 1 }, 1],
    ['that is lost before it answers', ['closed', 'closed'], { delivered: 1 }, 3],
    ['that has an error of its own', [{ code: 'AE', error: '207' }], { delivered: 1 }, 2],
    ['that is not able to now', [{ code: 'AR' }, { code: 'AR', error: '207' }], { delivered: 1 }, 3],
    ['that finds an error', [{ code: 'AE', error: '101' }], { refused: 1, delivered: 0 }, 1],
    ['that takes no such messages', [{ code: 'AR', error: '200' }], { refused: 1, delivered: 0 }, 1],
    [
      'that answers something else',
      [{ bytes: 'HTTP/1.1 400 Bad Request\r\n\r\n' }, { bytes: '\x1c\r' }],
      { delivered: 1 },
      3,
    ],
    [
      'that answers for another message',
      [{ bytes: '\x0bMSH|^~\\&|\rMSA|AA|other\r\x1c\r' }],
      { delivered: 1 },
      2,
    ],
    ['that answers nonsense', [{ code: 'XX' }, { code: '' }], { delivered: 1 }, 3],
  ];

  it.each(MESSAGES)('%s', async (_, acknowledgements, expected, times) => {
    const receiver = await MllpReceiver.start();
    const notes: string[] = [];
    try {
      receiver.next.push(...acknowledgements);
      await using outlet = await open(receiver.place, { onNote: (text) => notes.push(text) });
      await outlet.send(numbered(1));
      await outlet.send(numbered(1));
      expect(await outlet.flush(10)).toMatchObject({ waiting: 0, ...expected });
      // Each try is the same message, by which a receiver knows that it has it.
      expect(receiver.messages).toEqual(new Array(times).fill(numbered(1).text));
      expect(notes.join()).not.toContain('ChestCT');
    } finally {
      await receiver.close();
    }
    const aside = readdirSync(join(folder, 'queue', 'refused')).filter((name) => name.endsWith('.txt'));
    expect(aside.length).toBe('refused' in expected ? 1 : 0);
    for (const name of aside)
      expect(readFileSync(join(folder, 'queue', 'refused', name), 'utf8')).toMatch(
        /answered A[ER] \(error \d+\)[\s\S]*MSA\|A/,
      );
  });

  it('that is away gets everything from the next run, in order', async () => {
    const receiver = await MllpReceiver.start();
    {
      await using outlet = await open('127.0.0.1:1');
      for (const i of [3, 1, 2]) await outlet.send(numbered(i));
      expect(await outlet.flush(0.05)).toMatchObject({ delivered: 0, waiting: 3 });
    }
    await using outlet = await open(receiver.place);
    expect(await outlet.flush(10)).toMatchObject({ delivered: 3, waiting: 0 });
    expect(receiver.messages).toEqual([3, 1, 2].map((i) => numbered(i).text));
    await receiver.close();
  });

  it.each([
    ['host:2575', 'is none'],
    ['http://127.0.0.1:2575', 'is none'],
    ['mllp://127.0.0.1', 'is none'],
    ['mllp://127.0.0.1:99999', 'is none'],
    ['mllps://name:secret@127.0.0.1:2575', 'is none'],
    ['mllp://lab.example.org:2575', 'plain MLLP to another machine'],
  ])('at %s is refused: its address %s', async (address, problem) => {
    await expect(openHl7Outlet(address, { queue: join(folder, 'queue') })).rejects.toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining(problem),
    });
  });

  it.each(['', ' x', '1|2', '1\r', '1~2', '^^^A'])(
    'gets no patient that is no identifier: %j',
    (patientIdentifier) => {
      expect(() => messageOf({ ...IMAGE, patientIdentifier })).toThrow(
        expect.objectContaining({ code: 'E_USAGE' }),
      );
    },
  );
});

it.skipIf(!hasOpenssl('TLS to a receiver of HL7 v2'))(
  'a receiver over TLS is believed only with a certificate that is trusted',
  async () => {
    const { key, cert } = selfSigned(folder);
    const receiver = await MllpReceiver.start({ key, cert });
    {
      await using outlet = await open(`mllps://${receiver.place}`);
      await outlet.send(numbered(1));
      const { delivered, problem } = await outlet.flush(0.3);
      expect([delivered, problem]).toEqual([0, expect.stringContaining('self-signed certificate')]);
    }
    await using outlet = await open(`mllps://${receiver.place}`, { ca: cert });
    expect(await outlet.flush(10)).toMatchObject({ delivered: 1 });
    await receiver.close();
  },
);
