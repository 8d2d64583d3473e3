// Writes down what happens in a scenario, as a trace.
import { must } from '../util/index.ts';
import { fleetNow, type WorldView } from './environment-view.ts';
import type { Arrivals } from './requests.ts';
import type { Scenario } from './simulate.ts';
import { fleetFile, TRACE_FORMAT } from './trace.ts';

/**
 * The same scenario, whose fleets and requests are told to `write`, a line each, as an episode goes through it. Fleets are
 * without what requests under way hold; batteries are as the episode's plans leave them.
 */
export function recorded(scenario: Scenario, write: (line: string) => void): Scenario {
  const { programs } = scenario;
  return {
    ...scenario,
    begin() {
      const { world, arrivals } = scenario.begin();
      const tell = (value: object): void => write(JSON.stringify(value));
      const idle = new Float64Array(world.fleet.devices.length);
      const tellFleet = (): void => {
        const { fleet } = fleetNow(world, { held: idle, busyUntil: idle }, 0);
        tell({ time: world.since, fleet: fleetFile(fleet) });
      };
      tell({ ...TRACE_FORMAT, fleet: fleetFile(world.fleet) });
      tellFleet();
      return {
        world: observed(world, tellFleet),
        arrivals: {
          get next() {
            return arrivals.next;
          },
          take() {
            const arrival = arrivals.take();
            const bundle = must(programs.bundles[arrival.bundle], 'a bundle').name;
            const kind = must(programs.kinds[arrival.kind], 'a kind').name;
            tell({ time: arrival.time, request: { bundle, kind, deadline: arrival.deadline } });
            return arrival;
          },
        } satisfies Arrivals,
      };
    },
  };
}

/** The world itself, whose steps are followed by `after`. */
function observed(world: WorldView, after: () => void): WorldView {
  return Object.create(world, {
    step: {
      value: () => {
        world.step();
        after();
      },
    },
    // Getters of classes with private fields have to be asked on the object itself.
    since: { get: () => world.since },
    until: { get: () => world.until },
    spend: { value: (device: number, joules: number) => world.spend(device, joules) },
    entry: { value: (device: number) => world.entry(device) },
  }) as WorldView;
}
