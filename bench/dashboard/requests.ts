// Requests that make events: one after another, or at a rate.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bundle } from '../../src/bundle/index.ts';
import { must } from '../../src/util/index.ts';
import { RawClient } from '../serve/raw-client.ts';
import { binaryRequests } from '../serve/requests.ts';

/** Milliseconds between two looks at what is due. */
const TICK = 4;

/** Sends inference requests to a gateway. */
export class Requests {
  readonly #url: string;
  readonly #bytes: readonly Buffer[];
  #sent = 0;

  constructor(url: string, bundle: Bundle) {
    this.#url = url;
    this.#bytes = binaryRequests(bundle, 64).map(({ bytes }) => bytes);
  }

  /** Sends so many, each when the one before is answered. @throws Error when one is refused */
  async send(count: number): Promise<void> {
    const client = await RawClient.open(this.#url);
    for (let i = 0; i < count; i++) {
      const status = await this.#one(client);
      if (status !== 200) throw new Error(`a request was answered with ${status}`);
    }
    client.close();
  }

  /** Sends at a rate until the signal says so. @returns how many; those that a busy machine refused are events too */
  async sendAt(perSecond: number, stop: AbortSignal): Promise<number> {
    // More than one connection: a slow answer does not hold up the next request.
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(this.#url)));
    const began = performance.now();
    const running: Promise<number>[] = [];
    while (!stop.aborted) {
      const due = Math.floor(((performance.now() - began) * perSecond) / 1000);
      while (running.length < due) running.push(this.#one(must(clients[running.length % 8], 'a client')));
      await sleep(TICK);
    }
    await Promise.all(running);
    for (const client of clients) client.close();
    return running.length;
  }

  async #one(client: RawClient): Promise<number> {
    const bytes = must(this.#bytes[this.#sent++ % this.#bytes.length], 'a request');
    return (await client.send(bytes)).status;
  }
}
