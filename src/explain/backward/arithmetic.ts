// Writes elementwise arithmetic into the graph of a pass.
import type { BackwardContext } from './context.ts';

/** Numbers stand for constants; every operation returns the name of its value. */
export class Tools {
  readonly context: BackwardContext;
  constructor(context: BackwardContext) {
    this.context = context;
  }
  op(op: string, ...inputs: (string | number)[]): string {
    const names = inputs.map((input) =>
      typeof input === 'number' ? this.context.builder.scalar(input) : input,
    );
    return this.context.builder.node(op, names, {}, 'd');
  }
  /** `value` where a condition holds, otherwise zero. */
  where(condition: string, value: string | number): string {
    return this.op('Where', condition, value, 0);
  }
  /** A condition as 1 or 0. */
  number(condition: string): string {
    return this.op('Where', condition, 1, 0);
  }
}
