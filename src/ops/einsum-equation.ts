/** Reads Einstein equations: what `einsum` is asked for, in labels. */
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape } from '../core/shape.ts';

/** A letter, or `…d` for the axis number d from the right of those that an ellipsis stands for. */
export type Label = string;

export interface Equation {
  /** The labels of each operand's axes. */
  readonly operands: readonly (readonly Label[])[];
  readonly output: readonly Label[];
  readonly extents: ReadonlyMap<Label, number>;
}

const isEllipsis = (label: Label): boolean => label.startsWith('…');

const TERM = /^([A-Za-z]*)(?:(\.\.\.)([A-Za-z]*))?$/;

interface Term {
  readonly before: readonly string[];
  readonly ellipsis: boolean;
  readonly behind: readonly string[];
}

function termOf(equation: string, text: string): Term {
  const match = TERM.exec(text);
  if (!match) {
    throw new ArgumentError(
      `einsum: '${text}' in '${equation}' is no list of axes: letters, with at most one '...', stand for axes; commas ` +
        `part the operands, and one '->' leads to the output.`,
    );
  }
  return { before: [...(match[1] ?? '')], ellipsis: match[2] !== undefined, behind: [...(match[3] ?? '')] };
}

const ellipsisLabels = (count: number): Label[] =>
  Array.from({ length: count }, (_, d) => `…${count - 1 - d}`);

const labelsOf = ({ before, ellipsis, behind }: Term, count: number): Label[] => [
  ...before,
  ...(ellipsis ? ellipsisLabels(count) : []),
  ...behind,
];

function operandLabels(equation: string, index: number, term: Term, shape: Shape): Label[] {
  const letters = term.before.length + term.behind.length;
  const fits = term.ellipsis ? shape.length >= letters : shape.length === letters;
  if (!fits) {
    throw new ShapeError(
      `einsum: '${equation}' names ${term.ellipsis ? 'at least ' : ''}${letters} axes for operand ${index}, whose shape ` +
        `is ${formatShape(shape)}.${term.ellipsis ? '' : " '...' stands for further axes."}`,
    );
  }
  return labelsOf(term, shape.length - letters);
}

/** Letters in one place only, in alphabetical order (capitals first), behind the ellipsis: NumPy's default output. */
function defaultOutput(operands: readonly (readonly Label[])[], broadcast: number): Label[] {
  const counts = new Map<Label, number>();
  for (const label of operands.flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  const once = [...counts]
    .filter(([label, count]) => count === 1 && !isEllipsis(label))
    .map(([label]) => label);
  return [...ellipsisLabels(broadcast), ...once.sort()];
}

function checkOutput(
  equation: string,
  term: Term,
  broadcast: number,
  known: ReadonlyMap<Label, number>,
): void {
  const letters = [...term.before, ...term.behind];
  for (const letter of letters) {
    if (!known.has(letter))
      throw new ArgumentError(`einsum: the output of '${equation}' names '${letter}', which no operand has.`);
  }
  const twice = letters.find((letter, index) => letters.indexOf(letter) !== index);
  if (twice) throw new ArgumentError(`einsum: the output of '${equation}' names '${twice}' twice.`);
  if (broadcast > 0 && !term.ellipsis) {
    throw new ArgumentError(
      `einsum: the output of '${equation}' lacks '...', which stands for ${broadcast} axes of the operands; add it, or ` +
        `name those axes.`,
    );
  }
}

/** Reads an equation for operands of these shapes. */
export function parseEquation(equation: string, shapes: readonly Shape[]): Equation {
  const text = equation.replace(/\s+/g, '');
  const [left = '', right, ...more] = text.split('->');
  if (more.length > 0) throw new ArgumentError(`einsum: '${equation}' holds more than one '->'.`);
  const terms = left.split(',').map((term) => termOf(equation, term));
  if (terms.length !== shapes.length) {
    throw new ArgumentError(
      `einsum: '${equation}' names ${terms.length} operands, but ${shapes.length} tensors were given.`,
    );
  }
  const operands = terms.map((term, index) => operandLabels(equation, index, term, shapes[index] as Shape));
  const extents = new Map<Label, number>();
  operands.forEach((labels, index) => {
    labels.forEach((label, axis) => {
      const extent = (shapes[index] as Shape)[axis] as number;
      const known = extents.get(label);
      if (known === undefined || (isEllipsis(label) && known === 1)) extents.set(label, extent);
      else if (known !== extent && !(isEllipsis(label) && extent === 1)) {
        const what = isEllipsis(label) ? "axes that '...' stands for do not broadcast" : `'${label}' is`;
        throw new ShapeError(
          `einsum: in '${equation}' the ${what} ${known} and, in operand ${index} of shape ${formatShape(shapes[index] as Shape)}, ` +
            `${extent}; all extents of one letter are equal.`,
        );
      }
    });
  });
  const broadcast = Math.max(0, ...operands.map((labels) => labels.filter(isEllipsis).length));
  if (right === undefined) return { operands, output: defaultOutput(operands, broadcast), extents };
  const term = termOf(equation, right);
  checkOutput(equation, term, broadcast, extents);
  return { operands, output: labelsOf(term, broadcast), extents };
}
