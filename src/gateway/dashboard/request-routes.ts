// What the page Requests shows: the last requests, one of them in full, and why it got its plan.
import { withoutDevices } from '../../app/index.ts';
import { measureTerm } from '../../bundle/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { type KeptRequest, MOST_REQUESTS, timelineOf } from '../service/request-history.ts';
import { wirePlan } from '../service/ward-watch.ts';
import { type AddRoutes, modelNamed, sendValue } from './api.ts';
import { stageName } from './ward-routes.ts';
import type { RequestDetail, RequestRows, WhyPlan } from './wire-requests.ts';

/** Seconds of the exact search, and of the one that nobody asked for. */
const EXACT_SECONDS = 2;
const NO_SECONDS = 1e-3;

interface Numbered {
  Params: { seq: string };
  Querystring: { exact?: string };
}

/** `GET /api/requests`; `GET /api/requests/NUMBER`; `GET /api/requests/NUMBER/why`, with `?exact=1` also the exact plan. */
export const addRequestRoutes: AddRoutes = (app, { history, models, outlook }) => {
  const look = { config: { role: 'metrics' as const } };
  const kept = (seq: string): KeptRequest => {
    const found = /^\d{1,12}$/.test(seq) ? history.find(Number(seq)) : undefined;
    if (found) return found;
    throw new BedsideError('E_NOT_FOUND', 'this request is not kept', {
      hint: `the last ${MOST_REQUESTS} are, since the gateway was started; the audit log has all of them`,
    });
  };
  app.get('/api/requests', look, (_request, reply) => {
    const value: RequestRows = { rows: history.rows, most: MOST_REQUESTS, now: Date.now() };
    return sendValue(reply, value);
  });
  app.get<Numbered>('/api/requests/:seq', look, ({ params }, reply) => {
    const { row, asked, results } = kept(params.seq);
    const { manifest } = modelNamed(models, row.model).bundle;
    const [first] = results;
    const value: RequestDetail = {
      row,
      asked,
      stages: manifest.stages.map(stageName),
      ratios: manifest.ratios,
      plan: first ? wirePlan(first.plan, row.at) : null,
      timelines: results.map(timelineOf),
    };
    return sendValue(reply, value);
  });
  app.get<Numbered>('/api/requests/:seq/why', look, async ({ params, query }, reply) => {
    const { row, asked, results, moment } = kept(params.seq);
    const { bundle } = modelNamed(models, row.model);
    const [first] = results;
    if (!first)
      throw new BedsideError('E_REQUEST', 'this request was not answered: no plan was run to its end');
    const { fleet: whole, basis, lost } = moment;
    const fleet = withoutDevices(whole, new Set(lost));
    if (!fleet) throw new BedsideError('E_LOST', 'the device with the input was lost when it ended');
    const request = {
      ...basis.request,
      ...(asked.accuracyFloor === undefined ? {} : { accuracyFloor: asked.accuracyFloor }),
      ...(asked.deadline === undefined ? {} : { deadline: asked.deadline }),
      ...(asked.levels ? { accuracyFloor: 0 } : {}),
    };
    const seconds = query.exact === '1' ? EXACT_SECONDS : NO_SECONDS;
    const levels = asked.levels ?? basis.levels;
    const compared = await must(outlook, 'an outlook').compare(
      bundle,
      { fleet, request, levels },
      first.plan,
      seconds,
    );
    const { used, greedy, exact } = compared;
    const measure = measureTerm(bundle.manifest.accuracy);
    const value: WhyPlan = {
      measure,
      used,
      greedy,
      ...(query.exact === '1' ? { exact: { ...exact, seconds } } : {}),
    };
    return sendValue(reply, value);
  });
};
