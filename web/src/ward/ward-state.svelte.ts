// The ward as it is: read once, and kept by events.
import type { DeviceState, WardInfo, WardModel } from '../../../src/gateway/dashboard/wire-ward.ts';
import { get, type Problem, problemOf } from '../lib/api.ts';
import { live } from '../lib/live.svelte.ts';

/** Something that happened. */
export interface Happening {
  readonly at: number;
  readonly kind: 'lost' | 'found' | 'plan' | 'note';
  readonly model: string;
  readonly text: string;
}

/** Values of a small line, and lines of the log. */
const MOST_VALUES = 60;
const MOST_HAPPENINGS = 60;

export class WardState {
  info = $state.raw<WardInfo | undefined>();
  problem = $state.raw<Problem | undefined>();
  happenings = $state.raw<readonly Happening[]>([]);
  /** Loads by model and device, the newest last. */
  loads = $state.raw<Readonly<Record<string, readonly number[]>>>({});
  /** When a stage came to a device, by model, stage and device. */
  moved = $state.raw<Readonly<Record<string, number>>>({});

  /** Follows the events. @returns ends it */
  follow(): () => void {
    const ends = [
      live.on('devices', ({ model, states }) => this.#states(model, states)),
      live.on('queue', ({ model, waiting, running }) =>
        this.#change(model, (own) => ({ ...own, queue: { waiting, running } })),
      ),
      live.on('lost', ({ model, device, why, at }) => {
        this.#device(model, device, { since: at, why });
        this.#say({ at, kind: 'lost', model, text: `${device} is lost: ${why}` });
      }),
      live.on('found', ({ model, device, at }) => {
        this.#device(model, device, undefined);
        this.#say({ at, kind: 'found', model, text: `${device} is there again` });
      }),
      live.on('plan', ({ model, plan, at }) => {
        const before = this.info?.models.find((own) => own.model === model)?.plan;
        const held = new Set(
          before?.stages.flatMap(({ index, segments }) => segments.map(({ device }) => `${index} ${device}`)),
        );
        const moved = { ...this.moved };
        const names: string[] = [];
        for (const { index, segments } of plan.stages) {
          for (const { device } of segments) {
            if (held.has(`${index} ${device}`)) continue;
            moved[`${model} ${index} ${device}`] = at;
            names.push(`S${index + 1} to ${device}`);
          }
        }
        this.moved = moved;
        this.#change(model, (own) => ({ ...own, plan }));
        const what = names.length > 0 ? `stages moved: ${few(names)}` : 'other levels, on the same devices';
        this.#say({ at, kind: 'plan', model, text: `planned again; ${what}` });
      }),
      live.on('note', ({ at, text }) => this.#say({ at, kind: 'note', model: '', text })),
      live.reading(() => void this.#read()),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  async #read(): Promise<void> {
    try {
      this.info = await get<WardInfo>('/api/ward');
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  #states(model: string, states: Readonly<Record<string, DeviceState>>): void {
    const loads = { ...this.loads };
    for (const [name, { load }] of Object.entries(states)) {
      const key = `${model} ${name}`;
      if (load !== null) loads[key] = [...(loads[key] ?? []), load].slice(-MOST_VALUES);
    }
    this.loads = loads;
    this.#change(model, (own) => ({
      ...own,
      devices: own.devices.map((device) => ({ ...device, state: states[device.name] ?? null })),
    }));
  }

  #device(model: string, name: string, lost: { since: number; why: string } | undefined): void {
    this.#change(model, (own) => ({
      ...own,
      devices: own.devices.map((device) =>
        device.name === name ? { ...device, lost, ...(lost ? { state: null } : {}) } : device,
      ),
    }));
  }

  #change(model: string, change: (own: WardModel) => WardModel): void {
    const { info } = this;
    if (!info) return;
    this.info = { ...info, models: info.models.map((own) => (own.model === model ? change(own) : own)) };
  }

  #say(happening: Happening): void {
    // Many requests may meet the same loss.
    const known = this.happenings.find(({ text }) => text === happening.text);
    if (known && happening.at - known.at < 5000) return;
    this.happenings = [happening, ...this.happenings].slice(0, MOST_HAPPENINGS);
  }
}

function few(names: readonly string[]): string {
  return names.length > 6 ? `${names.slice(0, 6).join(', ')} and ${names.length - 6} more` : names.join(', ');
}
