// Packages that only some uses need: loaded when needed, and named plainly where the installation has left them out.
import { BedsideError } from './errors.ts';

/**
 * The module that `load` imports. `purpose` completes the sentence "… needs the package".
 * @throws BedsideError E_UNSUPPORTED naming the package that is not installed
 */
export async function loadOptional<Module>(purpose: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const missing = missingPackage(error);
    if (missing === undefined) throw error;
    throw new BedsideError(
      'E_UNSUPPORTED',
      `${purpose} needs the package '${missing}', which is not installed`,
      {
        hint: `install it with: npm install ${missing}; an installation without --omit=optional has it`,
        cause: error,
      },
    );
  }
}

/** The package that an import did not find; undefined for any other failure, a missing file among them. */
function missingPackage(error: unknown): string | undefined {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND')
    return undefined;
  return /^Cannot find package '((?:@[^/']+\/)?[^/'@]+)'/.exec(error.message)?.[1];
}
