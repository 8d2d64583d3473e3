// What answered, as FHIR resources: a Device with all its versions, and its model card.
import { createHash } from 'node:crypto';
import type { Device, DocumentReference } from 'fhir/r4.js';
import { sha256Of } from '../../util/internal.ts';
import { hashUri } from '../identity.ts';
import type { AnsweredBy } from '../result.ts';
import { AI_GUIDE, ARTIFICIAL_INTELLIGENCE, uriIdentifier } from './codes.ts';

/** The identifier of what answered: of its bundle and the versions that ran it. */
export function deviceUri({ bundle, versions }: AnsweredBy): string {
  return hashUri(sha256Of(JSON.stringify([bundle.sha256, Object.entries(versions).sort()])));
}

/** The identifier of a model card: of its text. */
export function cardUri({ card }: AnsweredBy): string {
  return hashUri(sha256Of(card));
}

const DATA_KINDS: Readonly<Record<AnsweredBy['reads'], string | undefined>> = {
  signals: 'AI-for-Physiological-Signal-Data',
  images: 'AI-for-Medical-Imaging-Data',
  tensors: undefined,
};

/**
 * A Device: the bundle and the software that answered.
 * @param card reference to its model card
 */
export function deviceOf(by: AnsweredBy, card: string): Device {
  const { bundle, network, versions, reads } = by;
  const kinds = ['Machine-Learning-Models', 'Deterministic-AI', DATA_KINDS[reads]];
  const version = (type: string, value: string) => ({ type: { text: type }, value });
  return {
    resourceType: 'Device',
    extension: [
      ...kinds.flatMap((code) =>
        code === undefined
          ? []
          : [
              {
                url: `${AI_GUIDE}/StructureDefinition/aitransparency.AIKind`,
                valueCodeableConcept: { coding: [{ ...ARTIFICIAL_INTELLIGENCE, code }] },
              },
            ],
      ),
      {
        url: `${AI_GUIDE}/StructureDefinition/aitransparency.modelCardDescription`,
        valueReference: { reference: card },
      },
    ],
    identifier: [uriIdentifier(deviceUri(by))],
    status: 'active',
    deviceName: [{ name: bundle.name, type: 'model-name' }],
    // The guide fixes this type, so nothing may stand beside it.
    type: { coding: [ARTIFICIAL_INTELLIGENCE] },
    version: [
      version('SHA-256 of the bundle', bundle.sha256),
      version('SHA-256 of the network', network.sha256),
      ...Object.entries(versions).map(([name, value]) => version(`version of ${name}`, value)),
    ],
    safety: [{ text: 'Not a medical device. Answers are preliminary until a clinician confirms them.' }],
  };
}

/** The model card as a document. */
export function modelCardOf(by: AnsweredBy): DocumentReference {
  const bytes = Buffer.from(by.card, 'utf8');
  const cs = `${AI_GUIDE}/CodeSystem/AIinputsCS`;
  return {
    resourceType: 'DocumentReference',
    masterIdentifier: uriIdentifier(cardUri(by)),
    identifier: [uriIdentifier(cardUri(by))],
    status: 'current',
    // Fixed by the guide too.
    type: { coding: [{ system: cs, code: 'AIModelCard' }] },
    category: [{ coding: [{ system: cs, code: 'AIModelCardMarkdownFormat', display: 'Markdown Format' }] }],
    description: `Model card of ${by.bundle.name}`,
    content: [
      {
        attachment: {
          contentType: 'text/markdown',
          data: bytes.toString('base64'),
          size: bytes.length,
          // FHIR R4 defines this field as SHA-1.
          hash: createHash('sha1').update(bytes).digest('base64'),
          title: `Model card of ${by.bundle.name}`,
        },
      },
    ],
  };
}
