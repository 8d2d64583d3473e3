// Multiply-accumulates of an Einsum. Specification: https://onnx.ai/onnx/operators/onnx__Einsum.html

/** An operand's labels, one for each axis; axes of an ellipsis are named by their place from the end. */
type Labels = readonly string[];

/**
 * Multiply-accumulates of an equation over operands of these shapes, or undefined when they do not fit it. Two operands
 * meet once for every combination of all their labels. With more operands, the engine joins the first two, then each
 * further one to the result; a label disappears as soon as neither the result nor a later operand has it. One operand
 * needs none.
 */
export function einsumMacs(equation: string, shapes: readonly (readonly number[])[]): number | undefined {
  const [left = '', right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  if (terms.length !== shapes.length) return undefined;
  const sizes = new Map<string, number>();
  const operands: Labels[] = [];
  for (const [index, term] of terms.entries()) {
    const shape = shapes[index] ?? [];
    const labels = labelsOf(term, shape.length);
    if (!labels) return undefined;
    operands.push(labels);
    for (const [axis, label] of labels.entries()) {
      const size = shape[axis] ?? 1;
      // An axis of one is broadcast.
      const known = sizes.get(label);
      if (known === undefined || known === 1) sizes.set(label, size);
    }
  }
  const result = new Set(right === undefined ? implicitResult(operands) : resultOf(right, sizes));
  let total = 0;
  let joined = new Set(operands[0]);
  for (const [index, labels] of operands.entries()) {
    if (index === 0) continue;
    const all = new Set([...joined, ...labels]);
    total += [...all].reduce((product, label) => product * (sizes.get(label) ?? 1), 1);
    const later = new Set(operands.slice(index + 1).flat());
    joined = new Set([...all].filter((label) => result.has(label) || later.has(label)));
  }
  return total;
}

/** One label an axis: letters, and `.1`, `.2` ... from the last axis of an ellipsis. */
function labelsOf(term: string, rank: number): Labels | undefined {
  const [before = '', after] = term.split('...');
  if (after === undefined) return before.length === rank ? [...before] : undefined;
  const hidden = rank - before.length - after.length;
  if (hidden < 0) return undefined;
  const dots = Array.from({ length: hidden }, (_, i) => `.${hidden - i}`);
  return [...before, ...dots, ...after];
}

function resultOf(term: string, sizes: ReadonlyMap<string, number>): string[] {
  const dots = term.includes('...') ? [...sizes.keys()].filter((label) => label.startsWith('.')) : [];
  return [...term.replace('...', ''), ...dots];
}

/** Without an arrow: labels that stand once, and the axes of ellipses. */
function implicitResult(operands: readonly Labels[]): string[] {
  const all = operands.flat();
  return all.filter((label) => label.startsWith('.') || all.indexOf(label) === all.lastIndexOf(label));
}

/** An equation over operands of given ranks: their labels, and those of the result. */
export interface Equation {
  readonly operands: readonly Labels[];
  readonly result: Labels;
}

/** The labels of an equation (axes of an ellipsis as `.1`, `.2` from the last), or undefined where it does not fit. */
export function parseEquation(equation: string, ranks: readonly number[]): Equation | undefined {
  const [left = '', right] = equation.replaceAll(' ', '').split('->');
  const terms = left.split(',');
  if (terms.length !== ranks.length) return undefined;
  const operands: Labels[] = [];
  for (const [index, term] of terms.entries()) {
    const labels = labelsOf(term, ranks[index] as number);
    if (!labels) return undefined;
    operands.push(labels);
  }
  const all = new Set(operands.flat());
  const hidden = [...all].filter((label) => label.startsWith('.')).length;
  if (right === undefined) {
    const dots = Array.from({ length: hidden }, (_, i) => `.${hidden - i}`);
    const letters = implicitResult(operands).filter((label) => !label.startsWith('.'));
    return { operands, result: [...dots, ...letters.sort()] };
  }
  const result = labelsOf(right, right.replace('...', '').length + (right.includes('...') ? hidden : 0));
  return result?.every((label) => all.has(label)) ? { operands, result } : undefined;
}

/** The shape of an Einsum's result, or undefined where the operands do not fit the equation. */
export function einsumShape(equation: string, shapes: readonly (readonly number[])[]): number[] | undefined {
  const parsed = parseEquation(
    equation,
    shapes.map((shape) => shape.length),
  );
  if (!parsed) return undefined;
  const sizes = new Map<string, number>();
  for (const [index, labels] of parsed.operands.entries()) {
    for (const [axis, label] of labels.entries()) {
      const size = shapes[index]?.[axis] ?? 1;
      const known = sizes.get(label) ?? 1;
      if (known !== 1 && size !== 1 && known !== size) return undefined;
      sizes.set(label, Math.max(known, size));
    }
  }
  return parsed.result.map((label) => sizes.get(label) ?? 1);
}
