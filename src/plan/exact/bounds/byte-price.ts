// The price of a hop under prices of energy.

/**
 * Price of one byte that every device of a set sends to every other device of the next set.
 * @param sent by device: price of a byte sent
 * @param received by device: price of a byte received
 */
export function bytePrice(
  from: readonly number[],
  to: readonly number[],
  sent: Float64Array,
  received: Float64Array,
): number {
  let price = 0;
  for (let j = 0; j < to.length; j++) {
    const e = to[j] as number;
    for (let i = 0; i < from.length; i++) {
      const d = from[i] as number;
      if (d !== e) price += (sent[d] as number) + (received[e] as number);
    }
  }
  return price;
}
