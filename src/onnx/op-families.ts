// Operators that most tables treat alike, so that a table names the family once.

/** Smooth or broken functions of each element by itself. */
export const FUNCTION_OPS = [
  'Abs',
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'Atanh',
  'Celu',
  'Cos',
  'Cosh',
  'Log',
  'Mish',
  'Neg',
  'Reciprocal',
  'Selu',
  'Shrink',
  'Sin',
  'Sinh',
  'Softplus',
  'Softsign',
  'Swish',
  'Tan',
  'ThresholdedRelu',
] as const;

/** Functions of each element that are constant between jumps: their derivative is zero. */
export const STEP_OPS = ['Ceil', 'Floor', 'Round', 'Sign'] as const;

/** Elementwise, of two tensors that broadcast; the results are booleans. */
export const COMPARISON_OPS = ['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'] as const;

/** Elementwise, of two tensors of booleans that broadcast. */
export const LOGIC_OPS = ['And', 'Or', 'Xor'] as const;

/** Each element by itself, to a boolean. */
export const TEST_OPS = ['IsInf', 'IsNaN', 'Not'] as const;

/** Elementwise, of any number of tensors that broadcast. */
export const NARY_OPS = ['Max', 'Mean', 'Min', 'Sum'] as const;

/** Along axes that are given as an input or an attribute; `ReduceMean` is older here and stands by itself. */
export const REDUCTION_OPS = [
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'ReduceMax',
  'ReduceMin',
  'ReduceProd',
  'ReduceSum',
  'ReduceSumSquare',
] as const;

/** Of one axis, to the position of its largest or smallest element. */
export const ARGUMENT_OPS = ['ArgMax', 'ArgMin'] as const;

/** The same entry for each operator of a family. */
export function entries<K extends string, T>(ops: readonly K[], entry: T): Record<K, T> {
  return Object.fromEntries(ops.map((op) => [op, entry])) as Record<K, T>;
}
