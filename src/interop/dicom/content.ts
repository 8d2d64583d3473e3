// Content items of structured reports (DICOM PS3.3 C.17.3), by their value type.
import type { Attributes } from './file.ts';

/** A coded concept: code, coding scheme, meaning. */
export type Code = readonly [string, string, string];

/** How an item belongs to the one above it. */
export type Relationship =
  | 'CONTAINS'
  | 'HAS OBS CONTEXT'
  | 'HAS CONCEPT MOD'
  | 'HAS PROPERTIES'
  | 'INFERRED FROM';

/** The attributes of a code. */
export function codeOf([value, scheme, meaning]: Code): Attributes {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning };
}

function item(relationship: Relationship, type: string, name: Code | undefined, own: Attributes): Attributes {
  return {
    RelationshipType: relationship,
    ValueType: type,
    ...(name ? { ConceptNameCodeSequence: [codeOf(name)] } : {}),
    ...own,
  };
}

export function codeItem(
  relationship: Relationship,
  name: Code,
  value: Code,
  items: readonly Attributes[] = [],
): Attributes {
  return item(relationship, 'CODE', name, { ConceptCodeSequence: [codeOf(value)], ...content(items) });
}

export function textItem(relationship: Relationship, name: Code, value: string): Attributes {
  return item(relationship, 'TEXT', name, { TextValue: value });
}

export function uidItem(relationship: Relationship, name: Code, value: string): Attributes {
  return item(relationship, 'UIDREF', name, { UID: value });
}

export function container(relationship: Relationship, name: Code, items: readonly Attributes[]): Attributes {
  return item(relationship, 'CONTAINER', name, { ContinuityOfContent: 'SEPARATE', ...content(items) });
}

/** A number with a unit of UCUM. */
export function numberItem(name: Code, value: number, unit: Code, items: readonly Attributes[]): Attributes {
  return item('CONTAINS', 'NUM', name, {
    MeasuredValueSequence: [{ NumericValue: decimal(value), MeasurementUnitsCodeSequence: [codeOf(unit)] }],
    ...content(items),
  });
}

export function imageItem(
  relationship: Relationship,
  name: Code | undefined,
  source: { readonly sopClass: string; readonly instanceUid: string },
  frame?: number,
): Attributes {
  return item(relationship, 'IMAGE', name, {
    ReferencedSOPSequence: [referenceTo(source, frame)],
  });
}

/** An instance, and the frame of it (from 1) where it has several. */
export function referenceTo(
  { sopClass, instanceUid }: { readonly sopClass: string; readonly instanceUid: string },
  frame: number | undefined,
): Attributes {
  return {
    ReferencedSOPClassUID: sopClass,
    ReferencedSOPInstanceUID: instanceUid,
    ...(frame === undefined ? {} : { ReferencedFrameNumber: String(frame) }),
  };
}

function content(items: readonly Attributes[]): Attributes {
  return items.length > 0 ? { ContentSequence: [...items] } : {};
}

/** A number as a decimal string of at most 16 characters. */
function decimal(value: number): string {
  return String(Number(value.toPrecision(6)));
}
