/**
 * The three ops behind every convolution. y = Σ x·w over the pairs that the geometry connects is linear in x and in w,
 * and so are its gradients: with respect to x, which is the transposed convolution of g and w, and with respect to w,
 * the correlation of x and g. Each one's gradients are the other two, so derivatives of any order stay among them.
 *
 * The kernels know three spatial axes. Users' tensors with one or two are read as if they had extents of 1 in front,
 * without a copy and without a tensor in between.
 */
import {
  type ConvGeometry,
  convFilterKernel,
  convInputKernel,
  convKernel,
  type Triple,
} from '../../kernels/conv.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { apply, type Op } from '../autograd/op.ts';
import { Tensor } from '../autograd/tensor.ts';
import { describe } from '../core/describe.ts';
import { ArgumentError, ShapeError } from '../core/errors.ts';
import { formatShape, type Shape } from '../core/shape.ts';
import type { Operand } from '../runtime/device.ts';
import type { AxisGeometry } from './conv-geometry.ts';
import {
  activationGrad,
  type EpilogueActivation,
  epilogueActivations,
  isEpilogueActivation,
} from './epilogue.ts';
import { assertTensor } from './operand.ts';
import { sum } from './reduce.ts';

/** The shape of a tensor, as its user has it and with three spatial axes. */
export interface Shapes {
  readonly user: Shape;
  readonly kernel: Shape;
}

/** What a filter w of which shape does between x and y; in a transposed convolution x is the result. */
export interface Connection {
  readonly geometry: ConvGeometry;
  readonly x: Shapes;
  readonly w: Shapes;
  readonly y: Shapes;
}

/** What is done to a sum before it is stored. */
export interface Epilogue {
  /** A third input holds a number for each channel of the result. */
  readonly bias: boolean;
  readonly activation: EpilogueActivation;
}

interface Attrs {
  readonly connection: Connection;
  readonly epilogue: Epilogue;
}

const NO_EPILOGUE: Epilogue = { bias: false, activation: 'linear' };

export interface ConvOps {
  /** x, w[, bias] → y */
  readonly conv: Op<Attrs>;
  /** y, w[, bias] → x */
  readonly convInput: Op<Attrs>;
  /** x, y → w */
  readonly convFilter: Op<Connection>;
}

/** The same extents behind axes of extent 1, three in all. */
const triple = (extents: readonly number[]): Triple => [1, 1, ...extents].slice(-3) as unknown as Triple;

/** The geometry of each axis as the kernels want it. */
export const kernelGeometry = (axes: readonly AxisGeometry[], groups: number): ConvGeometry => ({
  strides: triple(axes.map(({ stride }) => stride)),
  dilation: triple(axes.map(({ dilation }) => dilation)),
  before: [0, 0, ...axes.map(({ before }) => before)].slice(-3) as unknown as Triple,
  groups,
});

/** An image's shape (batch, …axes, channels). */
export const imageShapes = (user: Shape): Shapes => ({
  user,
  kernel: [user[0] as number, ...triple(user.slice(1, -1)), user[user.length - 1] as number],
});

/** A filter's shape (…axes, first, second); the kernels may see other channels than the user. */
export const filterShapes = (user: Shape, channels: Shape = user.slice(-2)): Shapes => ({
  user,
  kernel: [...triple(user.slice(0, -2)), ...channels],
});

export interface EpilogueOptions {
  /** Added to each position; shape (channels of the result,). */
  bias?: Tensor | undefined;
  /** Applied last. Default: linear. */
  activation?: EpilogueActivation | undefined;
}

/** Checks the closing options of a function whose result has `channels` channels. */
export function epilogueOf(
  op: string,
  { bias, activation = 'linear' }: EpilogueOptions,
  channels: number,
): Epilogue {
  if (!isEpilogueActivation(activation)) {
    throw new ArgumentError(
      `${op}: no activation ${describe(activation)}; use one of ${epilogueActivations.join(', ')}, or apply a ` +
        'function to the result.',
    );
  }
  if (bias === undefined) return { bias: false, activation };
  assertTensor(op, bias);
  if (bias.rank !== 1 || bias.shape[0] !== channels) {
    throw new ShapeError(
      `${op}: the bias has shape ${formatShape(bias.shape)}, the result ${channels} channels; it must be (${channels},).`,
    );
  }
  return { bias: true, activation };
}

/** The inputs of an op with the bias, where there is one. */
export const withBias = (x: Tensor, w: Tensor, bias: Tensor | undefined): Tensor[] =>
  bias ? [x, w, bias] : [x, w];

const as = ({ storage, dtype }: Tensor, shape: Shape): Operand => ({ storage, dtype, shape });

function run<A>(op: string, kernel: Kernel<A>, inputs: readonly Operand[], attrs: A, shape: Shape): Tensor {
  const [first] = inputs as [Operand];
  const [output] = first.storage.device.run(op, kernel, inputs, attrs) as [Operand];
  return Tensor.adopt({ ...output, shape }, op);
}

const spatialOf = (shape: Shape): Triple => shape.slice(1, 4) as unknown as Triple;
const tapsOf = (shape: Shape): Triple => shape.slice(0, 3) as unknown as Triple;

/** The gradient of the sum below the epilogue, worked out once, and that of the bias. */
function epilogueGrads(
  grad: Tensor,
  output: Tensor,
  { activation }: Epilogue,
): { linear: () => Tensor; bias: () => Tensor } {
  let known: Tensor | undefined;
  const linear = (): Tensor => (known ??= activationGrad[activation](grad, output));
  return { linear, bias: () => sum(linear(), { axis: grad.shape.slice(0, -1).map((_, axis) => axis) }) };
}

/** The ops of one public function, under its name. */
export function convOps(names: Readonly<Record<keyof ConvOps, string>>): ConvOps {
  const conv: Op<Attrs> = {
    name: names.conv,
    forward([x, w, ...bias], { connection, epilogue }) {
      return run(
        names.conv,
        convKernel,
        [as(x as Tensor, connection.x.kernel), as(w as Tensor, connection.w.kernel), ...bias],
        { ...connection.geometry, ...epilogue, output: spatialOf(connection.y.kernel) },
        connection.y.user,
      );
    },
    saves: ([x, w], [y], [needsX, needsW], { epilogue }) => [
      needsW ? x : undefined,
      needsX ? w : undefined,
      epilogue.activation === 'linear' ? undefined : y,
    ],
    backward({ grad, saved, attrs: { connection, epilogue } }) {
      const [x, w, y] = saved as [Tensor, Tensor, Tensor];
      const { linear, bias } = epilogueGrads(grad, y, epilogue);
      return [
        () => apply(convInput, [linear(), w], { connection, epilogue: NO_EPILOGUE }),
        () => apply(convFilter, [x, linear()], connection),
        epilogue.bias ? bias : undefined,
      ];
    },
  };

  const convInput: Op<Attrs> = {
    name: names.convInput,
    forward([y, w, ...bias], { connection, epilogue }) {
      return run(
        names.convInput,
        convInputKernel,
        [as(y as Tensor, connection.y.kernel), as(w as Tensor, connection.w.kernel), ...bias],
        { ...connection.geometry, ...epilogue, input: spatialOf(connection.x.kernel) },
        connection.x.user,
      );
    },
    saves: ([y, w], [x], [needsY, needsW], { epilogue }) => [
      needsW ? y : undefined,
      needsY ? w : undefined,
      epilogue.activation === 'linear' ? undefined : x,
    ],
    backward({ grad, saved, attrs: { connection, epilogue } }) {
      const [y, w, x] = saved as [Tensor, Tensor, Tensor];
      const { linear, bias } = epilogueGrads(grad, x, epilogue);
      return [
        () => apply(conv, [linear(), w], { connection, epilogue: NO_EPILOGUE }),
        () => apply(convFilter, [linear(), y], connection),
        epilogue.bias ? bias : undefined,
      ];
    },
  };

  const convFilter: Op<Connection> = {
    name: names.convFilter,
    forward([x, y], connection) {
      return run(
        names.convFilter,
        convFilterKernel,
        [as(x as Tensor, connection.x.kernel), as(y as Tensor, connection.y.kernel)],
        { ...connection.geometry, kernel: tapsOf(connection.w.kernel) },
        connection.w.user,
      );
    },
    saves: ([x, y], _outputs, [needsX, needsY]) => [needsY ? x : undefined, needsX ? y : undefined],
    backward({ grad, saved, attrs: connection }) {
      const [x, y] = saved as [Tensor, Tensor];
      const attrs = { connection, epilogue: NO_EPILOGUE };
      return [() => apply(convInput, [y, grad], attrs), () => apply(conv, [x, grad], attrs)];
    },
  };

  return { conv, convInput, convFilter };
}
