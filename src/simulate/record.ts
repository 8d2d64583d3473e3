// Records a scenario as a trace.
import { must } from '../util/index.ts';
import { type EnvironmentView, fleetNow } from './environment-view.ts';
import type { Arrivals } from './requests.ts';
import type { Scenario } from './simulate.ts';
import { fleetFile, TRACE_FORMAT } from './trace.ts';

/**
 * The same scenario, whose fleets and requests are told to `write`, a line each, as an episode goes through it. Fleets
 * are without what requests under way hold; batteries are as the episode's plans leave them.
 */
export function recorded(scenario: Scenario, write: (line: string) => void): Scenario {
  const { problems } = scenario;
  return {
    ...scenario,
    begin() {
      const { environment, arrivals } = scenario.begin();
      const tell = (value: object): void => write(JSON.stringify(value));
      const idle = new Float64Array(environment.fleet.devices.length);
      const tellFleet = (): void => {
        const { fleet } = fleetNow(environment, { held: idle, busyUntil: idle }, 0);
        tell({ time: environment.since, fleet: fleetFile(fleet) });
      };
      tell({ ...TRACE_FORMAT, fleet: fleetFile(environment.fleet) });
      tellFleet();
      return {
        environment: observed(environment, tellFleet),
        arrivals: {
          get next() {
            return arrivals.next;
          },
          take() {
            const arrival = arrivals.take();
            const bundle = must(problems.bundles[arrival.bundle], 'a bundle').name;
            const kind = must(problems.kinds[arrival.kind], 'a kind').name;
            tell({ time: arrival.time, request: { bundle, kind, deadline: arrival.deadline } });
            return arrival;
          },
        } satisfies Arrivals,
      };
    },
  };
}

/** The environment itself, whose steps are followed by `after`. */
function observed(environment: EnvironmentView, after: () => void): EnvironmentView {
  return Object.create(environment, {
    step: {
      value: () => {
        environment.step();
        after();
      },
    },
    // Getters of classes with private fields have to be asked on the object itself.
    since: { get: () => environment.since },
    until: { get: () => environment.until },
    spend: { value: (device: number, joules: number) => environment.spend(device, joules) },
    entry: { value: (device: number) => environment.entry(device) },
  }) as EnvironmentView;
}
