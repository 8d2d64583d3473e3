// The options of `bedside dicomweb`.
import { type Command, InvalidArgumentError } from 'commander';
import type { StudiesOptions } from '../../../app/interop/answer-studies.ts';
import { type ServerAccess, secretFrom } from '../../../interop/index.ts';
import type { CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { addFhir, type FhirCommandOptions, fhirOutlet, readPem } from '../../options/fhir.ts';
import { addHl7, type Hl7CommandOptions, hl7Outlet } from '../../options/hl7.ts';
import { count, levelList, numberIn } from '../../options/numbers.ts';

/** As commander gives them. */
export interface DicomwebCommandOptions extends CommonOptions, FhirCommandOptions, Hl7CommandOptions {
  readonly watch?: boolean;
  readonly interval?: number;
  readonly modality?: string;
  readonly bodyPart?: string;
  readonly description?: string;
  readonly studyDate?: string;
  readonly images: number;
  readonly levels?: readonly number[];
  readonly gateway?: string;
  readonly gatewayTokenFile?: string;
  readonly heatMaps: boolean;
  readonly loginFile?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly plainHttp?: boolean;
}

/** Adds them, but for the options of every command. */
export function addDicomwebOptions(command: Command): void {
  command
    .option('--watch', 'go on until Ctrl-C with studies that arrive')
    .option(
      '--interval <s>',
      'with --watch: seconds between looks (default: 10)',
      numberIn(0.1, 3600, 'seconds'),
    )
    .option('--modality <code>', 'only images of this modality, as in DX; default: any but documents')
    .option('--body-part <name>', 'only images of this body part, as their series says it')
    .option('--description <text>', 'only series whose description has this text')
    .option(
      '--study-date <range>',
      'only studies of this day or range: 20260301, 20260301-, 20260301-20260331',
      dateRange,
    )
    .option(
      '--images <n>',
      'at most so many images of a study, or frames of its images, spread evenly; of one, the middle',
      count(64),
      1,
    )
    .option('--levels <list>', 'the level of each group, as in 0,3,1; default: unpruned', levelList)
    .option(
      '--gateway <address>',
      'a bedside serve of the same bundle that plans and answers; default: this process',
    )
    .option('--gateway-token-file <file>', 'token for it; else the variable BEDSIDE_GATEWAY_TOKEN')
    .option('--no-heat-maps', 'store the report alone')
    .option('--login-file <file>', 'name:password for the archive; else the variable BEDSIDE_DICOMWEB_LOGIN')
    .option('--token-file <file>', 'token for the archive; else the variable BEDSIDE_DICOMWEB_TOKEN')
    .option(
      '--ca <file>',
      'certificates of the authority of archive and gateway, PEM; default: those that Node trusts',
    )
    .option('--plain-http', 'fetch and store unprotected: http:// to another machine');
  addFhir(command);
  addHl7(command);
}

const CONFLICTS: readonly Conflict<DicomwebCommandOptions>[] = [
  {
    when: ({ watch, interval }) => watch !== true && interval !== undefined,
    message: '--interval has no meaning without --watch',
    hint: 'add --watch, or leave it out',
  },
  {
    when: ({ gateway, levels }) => gateway !== undefined && levels !== undefined,
    message: '--levels has no meaning with --gateway, which plans each request',
    hint: 'give --levels to bedside serve',
  },
  {
    when: ({ gateway, gatewayTokenFile }) => gateway === undefined && gatewayTokenFile !== undefined,
    message: '--gateway-token-file has no meaning without --gateway',
    hint: 'name the gateway, or leave it out',
  },
];

/** The options of the use case. @throws BedsideError E_USAGE for options that contradict each other; E_FILE */
export function studiesOptions(address: string, options: DicomwebCommandOptions): StudiesOptions {
  assertNoConflict(options, CONFLICTS);
  const { watch, interval, modality, bodyPart, description, studyDate, images, levels, heatMaps } = options;
  const ca = options.ca === undefined ? undefined : readPem(options.ca);
  const { plainHttp } = options;
  const gateway: ServerAccess | undefined =
    options.gateway === undefined
      ? undefined
      : {
          ...{ url: options.gateway, ca, plainHttp },
          token: secretFrom(options.gatewayTokenFile, 'BEDSIDE_GATEWAY_TOKEN'),
        };
  return {
    archive: {
      ...{ url: address, ca, plainHttp },
      token: secretFrom(options.tokenFile, 'BEDSIDE_DICOMWEB_TOKEN'),
      basic: secretFrom(options.loginFile, 'BEDSIDE_DICOMWEB_LOGIN'),
    },
    ...{ watch, interval, modality, bodyPart, description, studyDate, images, levels, heatMaps, gateway },
    fhir: fhirOutlet(options),
    hl7: hl7Outlet(options),
  };
}

function dateRange(text: string): string {
  if (/^(\d{8}(-(\d{8})?)?|-\d{8})$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a day as 20260301, or a range as 20260301-20260331.');
}
