// What is decided about plans by hand, and how good plans are: freezing, the floor, comparisons over time, what-ifs.
import {
  type FleetEdit,
  type Moment,
  momentOf,
  type Outlook,
  type SolverName,
  type WhatIf,
} from '../../app/index.ts';
import { devicesOf } from '../../run/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { PolicyPoint } from '../dashboard/wire-policy.ts';
import type { AuditLog, AuditRecord } from '../observe/audit-log.ts';
import type { ServedModel } from './served-model.ts';

/** Seconds between two comparisons at least, and for the exact search of one. */
export const COMPARE_SECONDS = 15;
export const EXACT_SECONDS = 1;

/** A comparison takes at most this share of the time. */
const MOST_SHARE = 0.05;

/** Comparisons that are kept: two hours of them. */
const MOST_POINTS = 480;

/** Who set something, and when: milliseconds since 1970. */
export interface SetBy {
  readonly by: string;
  readonly since: number;
}

/** What a desk works with. */
export interface DeskParts {
  readonly outlook: Outlook;
  readonly audit: AuditLog | undefined;
  /** Is told each new comparison. */
  readonly onPoint?: ((model: string, point: PolicyPoint) => void) | undefined;
}

/** Decisions about the plans of one model. */
export class PolicyDesk {
  readonly model: ServedModel;
  readonly #parts: DeskParts;
  readonly #points: PolicyPoint[] = [];
  #frozenBy: SetBy | undefined;
  #floorBy: SetBy | undefined;
  #timer: NodeJS.Timeout | undefined;
  #known: { readonly key: string; readonly point: PolicyPoint } | undefined;
  #closed = false;

  constructor(model: ServedModel, parts: DeskParts) {
    this.model = model;
    this.#parts = parts;
  }

  get points(): readonly PolicyPoint[] {
    return this.#points;
  }

  /** Who froze; undefined where nothing is frozen. */
  get frozenBy(): SetBy | undefined {
    return this.model.deployment.frozen && this.#frozenBy;
  }

  /** Who set the floor; undefined where it is as at the start. */
  get floorBy(): SetBy | undefined {
    return this.#floorBy;
  }

  /** Compares plans from time to time, until `close`. */
  start(): void {
    const next = (seconds: number): void => {
      if (this.#closed) return;
      this.#timer = setTimeout(async () => {
        const began = performance.now();
        await this.compare().catch(() => undefined);
        next(Math.max(COMPARE_SECONDS, (performance.now() - began) / 1000 / MOST_SHARE));
      }, 1000 * seconds);
      this.#timer.unref();
    };
    next(1);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Compares the plan in use with others, now; where nothing has changed, the last figures are believed. */
  async compare(): Promise<PolicyPoint | undefined> {
    const { deployment, bundle } = this.model;
    const moment = await this.#moment();
    const { plan } = deployment;
    if (!moment || !plan) return undefined;
    const now = { at: Date.now(), frozen: deployment.frozen !== undefined, lost: deployment.lost.length };
    const key = JSON.stringify([moment, plan.levels, plan.stages.map(({ segments }) => segments)]);
    let point: PolicyPoint;
    if (this.#known?.key === key) point = { ...this.#known.point, ...now };
    else {
      const { used, greedy, exact } = await this.#parts.outlook.compare(bundle, moment, plan, EXACT_SECONDS);
      const objectives = { used: used.objective, greedy: greedy.objective, exact: exact.objective };
      point = { ...now, ...objectives, bound: exact.bound, gap: exact.gap, breaks: used.breaks };
      this.#known = { key, point };
    }
    this.#points.push(point);
    if (this.#points.length > MOST_POINTS) this.#points.shift();
    this.#parts.onPoint?.(this.model.name, point);
    return point;
  }

  /** Freezes the plan, or its levels. It is in the audit log before it counts. */
  async freeze(by: string, scope: 'plan' | 'levels'): Promise<void> {
    const { deployment } = this.model;
    const { plan } = deployment;
    await this.#kept(
      { event: 'freeze', caller: by, scope, levels: plan?.levels, devices: plan && devicesOf(plan) },
      () => {
        deployment.freeze(scope);
        this.#frozenBy = { by, since: Date.now() };
      },
    );
  }

  /** @throws BedsideError E_REQUEST where nothing is frozen; as `Deployment.unfreeze` */
  async unfreeze(by: string): Promise<void> {
    const { deployment } = this.model;
    if (!deployment.frozen) throw new BedsideError('E_REQUEST', 'nothing is frozen');
    await this.#kept({ event: 'unfreeze', caller: by }, () => deployment.unfreeze());
  }

  /** @param floor undefined: as at the start. @throws BedsideError as `Deployment.setAccuracyFloor` */
  async setFloor(by: string, floor: number | undefined): Promise<void> {
    await this.#kept({ event: 'floor', caller: by, floor: floor ?? 'start' }, async () => {
      await this.model.deployment.setAccuracyFloor(floor);
      this.#floorBy = floor === undefined ? undefined : { by, since: Date.now() };
    });
  }

  /** What would be planned with differences; nothing is changed by it. @throws BedsideError as `whatIf`; E_LOST; E_BUSY */
  async whatIf(
    edit: FleetEdit,
    own: Partial<Pick<Moment['request'], 'accuracyFloor' | 'deadline'>>,
    solver: SolverName,
  ): Promise<WhatIf> {
    const moment = await this.#moment();
    if (!moment) throw new BedsideError('E_LOST', 'the device that has the input is lost');
    const request = { ...moment.request, ...own };
    return await this.#parts.outlook.whatIf(this.model.bundle, { ...moment, request }, edit, solver);
  }

  #moment(): Promise<Moment | undefined> {
    return momentOf(this.model.deployment, this.model.name);
  }

  /** Nothing is done that the audit log does not have; what fails is in it too. */
  async #kept(record: AuditRecord, act: () => void | Promise<void>): Promise<void> {
    const { name: model, bundle } = this.model;
    const own = { ...record, model, bundle: bundle.sha256 };
    await this.#parts.audit?.append(own);
    try {
      await act();
    } catch (error) {
      await this.#parts.audit?.append({ ...own, error: BedsideError.is(error) ? error.code : 'E_INTERNAL' });
      throw error;
    }
  }
}
