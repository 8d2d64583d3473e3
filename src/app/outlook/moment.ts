// A deployment at this moment, by the times that its devices measure now.
import type { Deployment } from '../run/deployment.ts';
import { withMeasuredTimes, withoutDevices } from '../run/fleet-changes.ts';
import type { Moment } from './compare-plans.ts';

/**
 * The devices that are not lost, with their stage times as they report them now, and what requests are planned by.
 * @param bundle its name
 * @returns undefined where the device with the input is lost
 */
export async function momentOf(deployment: Deployment, bundle: string): Promise<Moment | undefined> {
  const { request, levels } = deployment.basis;
  const reports = await deployment.reports();
  const fleet = withoutDevices(
    withMeasuredTimes(deployment.fleet, bundle, reports),
    new Set(deployment.lost),
  );
  return fleet && { fleet, request, levels };
}
