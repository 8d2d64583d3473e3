// Codes of ISO/IEEE 11073-10102 (MDC) for beats and rhythms, as CID 3335 and CID 3415 of DICOM PS3.16 have them.

/** The symbol of WFDB that means the same, by the number of the code. */
const BEATS: Readonly<Record<number, string>> = {
  ...{ 8208: 'N', 8256: 'S', 8272: 'A', 8288: 'J', 8304: 'a' },
  // R on T is a premature ventricular beat too.
  ...{ 8336: 'V', 8368: 'V', 8352: 'F', 8432: 'E' },
  ...{ 8400: 'e', 8416: 'j', 8464: 'L', 8480: 'L', 8496: 'R', 8512: 'R' },
  ...{ 8720: 'f', 8736: 'Q' },
};

/** Codes that the standard gives twice, to a spike of a defibrillator too: their meaning tells which. */
const TWICE: Readonly<Record<number, readonly [meaning: RegExp, symbol: string]>> = {
  8704: [/^paced beat$/i, '/'],
};

/** The rhythms of WFDB that mean the same. */
const RHYTHMS: Readonly<Record<number, string>> = {
  ...{ 9216: 'N', 9232: 'N', 9248: 'SBR', 9472: 'AFIB', 9456: 'AFL', 9376: 'AB', 9504: 'SVTA' },
  ...{ 9520: 'SVTA', 9536: 'NOD', 9552: 'NOD', 9856: 'IVR', 9920: 'B', 9936: 'T' },
  ...{
    9984: 'VT',
    10032: 'VT',
    10048: 'VT',
    10064: 'VT',
    10000: 'VFL',
    10016: 'VF',
    10096: 'PREX',
    9648: 'BII',
  },
};

/**
 * What a code of MDC, such as `10:8336`, marks: the symbol of a beat, or a rhythm as WFDB writes it; undefined for all others.
 * @param meaning its text, which tells codes apart that the standard gives twice
 */
export function codedMark(scheme: string, value: string, meaning: string): string | undefined {
  const number = scheme === 'MDC' ? Number(/^10:(\d{1,6})$/.exec(value)?.[1] ?? Number.NaN) : Number.NaN;
  const twice = TWICE[number];
  const beat = twice ? (twice[0].test(meaning.trim()) ? twice[1] : undefined) : BEATS[number];
  if (beat !== undefined) return beat;
  const rhythm = RHYTHMS[number];
  return rhythm === undefined ? undefined : `(${rhythm}`;
}

/** Schemes whose codes are numbers of a standard, and so name nobody. */
const PUBLIC = /^(MDC|SCPECG|DCM|SCT|SRT|LN|UCUM)$/;

/** How a code that is not read is called; others than those of public schemes may be anything. */
export function codeName(scheme: string, value: string): string {
  return PUBLIC.test(scheme) && /^[\w.:-]{1,16}$/.test(value) ? `${scheme} ${value}` : 'of another scheme';
}
