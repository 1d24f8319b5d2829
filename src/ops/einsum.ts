/** Products summed over common axes: einsum, tensordot and outer, lowered onto matmul, mul and sum. */
import { scope } from '../autograd/scope.ts';
import type { Tensor } from '../autograd/tensor.ts';
import { isFloat } from '../core/dtype.ts';
import { ArgumentError, DeviceMismatchError, DTypeError, ShapeError } from '../core/errors.ts';
import { checkShape, formatShape, normalizeAxis, sizeOf } from '../core/shape.ts';
import { mul } from './binary.ts';
import { diagonal } from './diagonal.ts';
import { type Label, parseEquation } from './einsum-equation.ts';
import { matmul } from './matmul.ts';
import { assertTensor } from './operand.ts';
import { sum } from './reduce.ts';
import { apart, permute, reshape } from './shape.ts';

/** A tensor whose axes have names, each name once. */
interface Labelled {
  readonly tensor: Tensor;
  readonly labels: readonly Label[];
}

const same = (a: readonly Label[], b: readonly Label[]): boolean =>
  a.length === b.length && a.every((label, index) => label === b[index]);

const extentsOf = ({ tensor, labels }: Labelled, some: readonly Label[]): number[] =>
  some.map((label) => tensor.shape[labels.indexOf(label)] as number);

const arranged = (x: Labelled, order: readonly Label[]): Tensor =>
  same(x.labels, order)
    ? x.tensor
    : permute(
        x.tensor,
        order.map((label) => x.labels.indexOf(label)),
      );

/** Takes diagonals until each label stands once. */
function withoutRepeats({ tensor, labels }: Labelled): Labelled {
  let x = tensor;
  let names = [...labels];
  for (;;) {
    const second = names.findIndex((label, axis) => names.indexOf(label) < axis);
    if (second < 0) return { tensor: x, labels: names };
    const label = names[second] as Label;
    const first = names.indexOf(label);
    x = diagonal(x, 0, first, second);
    names = [...names.filter((_, axis) => axis !== first && axis !== second), label];
  }
}

/** Sums over the labels that nobody else needs, and drops axes of extent 1 that others stretch. */
function reduced(x: Labelled, kept: ReadonlySet<Label>, extents: ReadonlyMap<Label, number>): Labelled {
  const gone = x.labels.filter((label) => !kept.has(label));
  const flat = x.labels.filter(
    (label, axis) => kept.has(label) && x.tensor.shape[axis] === 1 && extents.get(label) !== 1,
  );
  if (gone.length === 0 && flat.length === 0) return x;
  const axes = gone.map((label) => x.labels.indexOf(label));
  const labels = x.labels.filter((label) => !gone.includes(label) && !flat.includes(label));
  const tensor = axes.length > 0 ? sum(x.tensor, { axis: axes, keepDims: true }) : x.tensor;
  return { tensor: reshape(tensor, extentsOf(x, labels)), labels };
}

/** The product of two, summed over the labels that both have and nobody else needs. */
function contract(a: Labelled, b: Labelled, kept: ReadonlySet<Label>): Labelled {
  const common = a.labels.filter((label) => b.labels.includes(label));
  const batch = common.filter((label) => kept.has(label));
  const summed = common.filter((label) => !kept.has(label));
  const rows = a.labels.filter((label) => !common.includes(label));
  const columns = b.labels.filter((label) => !common.includes(label));
  const labels = [...batch, ...rows, ...columns];
  const extents = [...extentsOf(a, [...batch, ...rows]), ...extentsOf(b, columns)];
  checkShape('einsum', extents);
  const [n, m, k, p] = [
    sizeOf(extentsOf(a, batch)),
    sizeOf(extentsOf(a, rows)),
    sizeOf(extentsOf(a, summed)),
    sizeOf(extentsOf(b, columns)),
  ] as const;
  const front = batch.length > 0 ? [n] : [];
  if (summed.length === 0 || !isFloat(a.tensor.dtype)) {
    const left = reshape(arranged(a, [...batch, ...rows, ...summed]), [...front, m, 1, k]);
    const right = reshape(arranged(b, [...batch, ...columns, ...summed]), [...front, 1, p, k]);
    const product = mul(left, right);
    return { tensor: reshape(summed.length === 0 ? product : sum(product, { axis: -1 }), extents), labels };
  }
  // An operand that stores its summed axes first needs no copy: matmul takes it as transposed.
  const transposeA = same(a.labels, [...batch, ...summed, ...rows]) && rows.length > 0;
  const left = arranged(a, transposeA ? a.labels : [...batch, ...rows, ...summed]);
  const transposeB = same(b.labels, [...batch, ...columns, ...summed]) && columns.length > 0;
  const right = arranged(b, transposeB ? b.labels : [...batch, ...summed, ...columns]);
  const product = matmul(
    reshape(left, [...front, ...(transposeA ? [k, m] : [m, k])]),
    reshape(right, [...front, ...(transposeB ? [p, k] : [k, p])]),
    { transposeA, transposeB },
  );
  return { tensor: reshape(product, extents), labels };
}

/** The labels that the output or one of these needs. */
const needed = (output: readonly Label[], others: readonly Labelled[]): Set<Label> =>
  new Set([...output, ...others.flatMap(({ labels }) => labels)]);

/** The pair whose product is the smallest; the first of equals. */
function cheapest(list: readonly Labelled[], output: readonly Label[]): [number, number] {
  let best: [number, number] = [0, 1];
  if (list.length === 2) return best;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < list.length; i++) {
    for (let j = i + 1; j < list.length; j++) {
      const [a, b] = [list[i] as Labelled, list[j] as Labelled];
      const kept = needed(
        output,
        list.filter((_, index) => index !== i && index !== j),
      );
      const own = a.labels.filter((label) => kept.has(label));
      const more = b.labels.filter((label) => kept.has(label) && !own.includes(label));
      const size = sizeOf([...extentsOf(a, own), ...extentsOf(b, more)]);
      if (size < least) {
        least = size;
        best = [i, j];
      }
    }
  }
  return best;
}

function checkOperands(op: string, tensors: readonly Tensor[]): void {
  for (const tensor of tensors) assertTensor(op, tensor);
  const { dtype, device } = tensors[0] as Tensor;
  for (const tensor of tensors) {
    if (tensor.device !== device)
      throw new DeviceMismatchError(`${op}: its tensors live on different devices; use toDevice() first.`);
    if (tensor.dtype === dtype && (isFloat(tensor.dtype) || tensor.dtype === 'int32')) continue;
    const dtypes = tensors.map((each) => each.dtype).join(', ');
    throw new DTypeError(`${op}: takes floats or int32, all of one dtype, got ${dtypes}; cast first.`);
  }
}

/**
 * Einstein's sum convention, as in NumPy: each operand's axes are named by letters, axes of one name are multiplied
 * element by element, and names that the output lacks are summed. A name twice in one operand takes its diagonal;
 * `...` stands for axes that broadcast; without `->` the output holds the names that occur once, in alphabetical order.
 *
 * ```ts
 * einsum('ij,jk->ik', a, b);     // matmul
 * einsum('bhqd,bhkd->bhqk', q, k); // attention scores
 * einsum('ii', a);               // trace
 * ```
 *
 * Of several operands, the pair with the smallest product goes first. int32 sums form the whole product in memory.
 *
 * @throws ArgumentError for an equation that cannot be read, ShapeError for one that does not fit the operands.
 */
export function einsum(equation: string, ...tensors: Tensor[]): Tensor {
  if (typeof equation !== 'string') throw new ArgumentError('einsum: the equation comes first, as a string.');
  if (tensors.length === 0) throw new ArgumentError(`einsum: '${equation}' needs tensors; none were given.`);
  checkOperands('einsum', tensors);
  const { operands, output, extents } = parseEquation(
    equation,
    tensors.map(({ shape }) => shape),
  );
  checkShape(
    'einsum',
    output.map((label) => extents.get(label) as number),
  );
  return scope(() => {
    const whole = tensors.map((tensor, index) =>
      withoutRepeats({ tensor, labels: operands[index] as readonly Label[] }),
    );
    let list = whole.map((x, index) =>
      reduced(
        x,
        needed(
          output,
          whole.filter((_, other) => other !== index),
        ),
        extents,
      ),
    );
    while (list.length > 1) {
      const [i, j] = cheapest(list, output);
      const rest = list.filter((_, index) => index !== i && index !== j);
      list = [contract(list[i] as Labelled, list[j] as Labelled, needed(output, rest)), ...rest];
    }
    const result = list[0] as Labelled;
    return tensors.reduce(apart, arranged(result, output));
  });
}

/** Axes of a and of b that go together: a list for each, or the last n of a and the first n of b. */
export type TensordotAxes = number | readonly [number | readonly number[], number | readonly number[]];

/** Σ a·b over pairs of axes, two by default; the result has the other axes of a, then those of b. */
export function tensordot(a: Tensor, b: Tensor, axes: TensordotAxes = 2): Tensor {
  checkOperands('tensordot', [a, b]);
  let pairs: readonly [readonly number[], readonly number[]];
  if (typeof axes === 'number') {
    if (!Number.isInteger(axes) || axes < 0 || axes > Math.min(a.rank, b.rank)) {
      throw new ArgumentError(
        `tensordot: ${axes} axes of shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}; both must have them.`,
      );
    }
    const range = (from: number): number[] => Array.from({ length: axes }, (_, index) => from + index);
    pairs = [range(a.rank - axes), range(0)];
  } else {
    const listOf = (list: number | readonly number[], rank: number): number[] =>
      (typeof list === 'number' ? [list] : list).map((axis) => normalizeAxis('tensordot', axis, rank));
    pairs = [listOf(axes[0], a.rank), listOf(axes[1], b.rank)];
  }
  const [left, right] = pairs;
  if (
    left.length !== right.length ||
    new Set(left).size !== left.length ||
    new Set(right).size !== right.length
  ) {
    throw new ArgumentError(
      `tensordot: axes [${left.join(', ')}] and [${right.join(', ')}]; both lists need the same length, each axis once.`,
    );
  }
  left.forEach((axis, index) => {
    const other = right[index] as number;
    if (a.shape[axis] === b.shape[other]) return;
    throw new ShapeError(
      `tensordot: axis ${axis} of ${formatShape(a.shape)} and axis ${other} of ${formatShape(b.shape)} differ in extent.`,
    );
  });
  return scope(() => {
    const labelsA = a.shape.map((_, axis) => `a${axis}`);
    const labelsB = b.shape.map((_, axis) => {
      const index = right.indexOf(axis);
      return index < 0 ? `b${axis}` : `a${left[index]}`;
    });
    const rows = labelsA.filter((_, axis) => !left.includes(axis));
    const columns = labelsB.filter((_, axis) => !right.includes(axis));
    const kept = new Set([...rows, ...columns]);
    return contract({ tensor: a, labels: labelsA }, { tensor: b, labels: labelsB }, kept).tensor;
  });
}

/** aᵢ·bⱼ for all pairs of elements; both operands are flattened, as in NumPy. */
export function outer(a: Tensor, b: Tensor): Tensor {
  checkOperands('outer', [a, b]);
  return scope(() => mul(reshape(a, [a.size, 1]), reshape(b, [1, b.size])));
}
