// The features of a policy, in order, with their names for its card and for docs/policy.md. `log` is the natural
// logarithm over 3.5, kept within about 4; `regret` is log(1 + 10 x) / 2 of the relative excess over the least. "Rough"
// means at each stage's middling choice and on single devices; T the deadline, U the rough plan's part of the
// objective, L the stages.

/** By kind and key: what the feature is. The order of the keys is the order of the features. */
const TABLE = {
  request: {
    leastTime: 'log of the least rough time / T',
    localTime: 'log of the rough time on the source alone / T',
    leastTimeCost: "log of the least rough time's cost / U",
    workEnergyCost: "log of all work's mean energy cost / U",
    allowedLoss: 'log of the loss that the floor allows, nats',
    allowedLossCost: "log of that loss's cost / U",
    stages: 'ln of the number of stages / 3',
    devices: 'ln of the number of devices / 2',
    sharedChannel: '1 for one shared channel',
    weightsOfMemory: 'log of all weights / all memory',
    workOfEnergy: 'log of the energy of all work / all energy',
    activationsOfMemory: 'log of the largest activations / mean memory',
    trustedSource: '1 for a trusted source',
    levels: 'largest number of levels / 8',
  },
  stage: {
    place: 'place in the chain, 0 to 1',
    work: 'log of the share of work, times L',
    weights: 'log of the share of weights, times L',
    bytesIn: 'log of bytes in / mean bytes',
    bytesOut: 'log of bytes out / mean bytes',
    splitByOutputs: '1 for a split by outputs',
    splitByPartialSums: '1 for a split by partial sums',
    seenBefore: 'share of the stage before that an untrusted device may see',
    seenHere: 'share of this stage that an untrusted device may see',
    largestLoss: 'log of the largest loss / allowed loss',
    tied: '1 where levels may not change',
    first: '1 for the first stage',
    last: '1 for the last stage',
    sets: 'log of the number of candidate sets / 10',
    leastTime: 'log of the least time on a legal device / T, times L',
    leastTimeCost: "log of that time's cost / U, times L",
  },
  device: {
    source: '1 for the source',
    trusted: '1 for a trusted device',
    time: 'log of the rough time of everything here / T',
    timeCost: "log of that time's cost / U",
    weights: 'log of all weights / its memory',
    activations: 'log of the largest activations / its memory',
    energy: 'log of the energy of all work / its energy',
    energyCost: "log of that energy's cost / U",
    wait: 'log of its wait / T, times L',
    sendTime: 'log of the mean time of sending one tensor / T, times L',
    receiveTime: 'log of the mean time of receiving one tensor / T, times L',
    timeFromSource: 'log of the time from the source / T, times L',
    missingLinks: 'share of links that are missing',
    sendEnergy: 'log of the energy of sending every tensor / its energy',
    transferCost: "log of sending's and receiving's cost / U",
    measured: '1 where seconds were measured',
  },
  pair: {
    mayRun: '1 where the device may run the stage alone',
    timeRegret: 'regret of the fastest rough way through here',
    costRegret: 'regret of the cheapest rough way through here',
    time: 'log of the time here / T, times L',
    cost: 'log of the cost here / U, times L',
    weights: "log of the stage's weights / memory",
    tooLarge: '1 where weights and activations do not fit',
    energy: "log of the stage's energy / the device's",
    timeFromSource: "log of the time to get the stage's input from the source / T, times L",
    timeCost: "log of the time's cost / U, times L",
  },
  link: {
    time: 'log of the time of one mean tensor / T, times L',
    energyCost: "log of its energy's cost / U, times L",
  },
  set: {
    single: '1 for a single device',
    pair: '1 for two devices',
    hasSource: '1 where the source is a member',
    untrusted: 'share of members that are untrusted',
    time: "log of the slowest member's time / T, times L",
    workCost: 'log of the cost of work / U, times L',
    memory: 'log of the largest share of memory taken',
    energy: 'log of the largest share of energy taken',
    costRegret: 'regret of the cheapest rough way through here',
    timeRegret: 'regret of the fastest rough way through here',
    sendTime: 'log of the time to send on / T, times L',
    tooLarge: '1 where a member cannot carry it',
  },
  level: {
    bytesOut: 'share of bytes that go out',
    work: 'share of work of the stage',
    lossSteps: 'steps of loss / allowed steps, times the root of L, at most 2',
    lossCost: "loss's cost times L / U, at most 4",
    place: 'place among the levels, 0 to 1',
    nextWork: 'share of work of the next stage, at most 2',
  },
} as const;

type Kind = keyof typeof TABLE;

/** Names by kind, in order; the number of features of a kind is the number of its names. */
export const FEATURE_NAMES = byKind((names) => Object.values(names));

/** Number of features of each kind. */
export const FEATURES = byKind((names) => Object.keys(names).length);

/** Position of each feature among those of its kind. */
export const FEATURE_AT = byKind(
  (names) => Object.fromEntries(Object.keys(names).map((key, at) => [key, at])) as Record<string, number>,
) as { readonly [K in Kind]: { readonly [F in keyof (typeof TABLE)[K]]: number } };

function byKind<T>(of: (names: Readonly<Record<string, string>>) => T): Readonly<Record<Kind, T>> {
  return Object.fromEntries(Object.entries(TABLE).map(([kind, names]) => [kind, of(names)])) as Record<
    Kind,
    T
  >;
}
