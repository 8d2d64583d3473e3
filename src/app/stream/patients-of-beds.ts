// Whose results are whose: patients by bed, and one for the only bed, which is nobody's once there are several.

/** Patients as the operator named them. */
export class PatientsOfBeds {
  readonly #named: ReadonlyMap<string, string>;
  readonly #remark: (text: string) => void;
  readonly #form: string;
  readonly #beds = new Set<string>();

  /**
   * @param named by bed; under `''` that of the only bed
   * @param form of the results, for remarks
   */
  constructor(named: Readonly<Record<string, string>>, form: string, remark: (text: string) => void) {
    this.#named = new Map(Object.entries(named));
    this.#form = form;
    this.#remark = remark;
  }

  /** A beat of a bed was found: one source may bring several beds, which nobody knows before they come. */
  found(bed: string): void {
    const before = this.#beds.size;
    this.#beds.add(bed);
    if (before !== 1 || this.#beds.size !== 2 || !this.#named.has('')) return;
    this.#remark(
      `a patient was given for the only bed in ${this.#form}, and several came: results name none from the second one on; ` +
        'name the bed of each, as BED=…',
    );
  }

  of(bed: string): string | undefined {
    return this.#named.get(bed) ?? (this.#beds.size > 1 ? undefined : this.#named.get(''));
  }
}
