/**
 * What a differentiable op is, and how it is applied. Built-in and user-made ops share this interface.
 *
 * ```ts
 * const square: Op = {
 *   name: 'square',
 *   forward: ([x]) => mul(x, x),              // runs without a graph
 *   saves: ([x]) => [x],                      // what backward will read
 *   backward: ({ grad, saved: [x] }) => [() => mul(grad, mul(x, 2))],
 * };
 * const y = apply(square, [x], undefined);
 * ```
 */
import type { Kernel, TensorSpec } from '../../kernels/kernel.ts';
import { isFloat } from '../core/dtype.ts';
import { DeviceMismatchError } from '../core/errors.ts';
import { userFrame } from '../core/stack.ts';
import type { RunOptions } from '../runtime/device.ts';
import { anomalyMode } from './anomaly-mode.ts';
import { GradState, Node } from './graph.ts';
import { isGradEnabled, noGrad } from './modes.ts';
import { assertTensor, Tensor } from './tensor.ts';

/** What a backward rule gets. */
export interface BackwardContext<Attrs> {
  /** The gradient of the first output; zeros where nothing flowed back to it. */
  readonly grad: Tensor;
  /** The gradients of all outputs; undefined where nothing flowed back. */
  readonly grads: readonly (Tensor | undefined)[];
  /** What `saves` returned, in the same places. */
  readonly saved: readonly Tensor[];
  readonly attrs: Attrs;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** Computes one input's gradient; `undefined` for an input that has none. */
export type GradientThunk = (() => Tensor) | undefined;

export interface Op<Attrs = undefined> {
  readonly name: string;
  /** Computes the outputs; no graph is recorded inside. */
  forward(inputs: readonly Tensor[], attrs: Attrs): Tensor | readonly Tensor[];
  /** Tensors for `backward`; leave a place undefined when no sibling in need of a gradient reads it. */
  saves?(
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    needs: readonly boolean[],
    attrs: Attrs,
  ): readonly (Tensor | undefined)[];
  /**
   * One thunk per input. A gradient may have the broadcast shape of the output: the engine sums it down to the
   * input's shape. Written with differentiable ops, so that it can be differentiated again.
   */
  backward(context: BackwardContext<Attrs>): readonly GradientThunk[];
}

/** Runs a kernel on tensors of one device and wraps the outputs; no graph. */
export function runKernel<Attrs>(
  op: string,
  kernel: Kernel<Attrs>,
  inputs: readonly Tensor[],
  attrs: Attrs,
  options?: RunOptions,
): Tensor[] {
  const first = inputs[0] as Tensor;
  return first.device.run(op, kernel, inputs, attrs, options).map((operand) => Tensor.adopt(operand, op));
}

/** `runKernel` for kernels with one output. */
export const runKernel1 = <Attrs>(
  op: string,
  kernel: Kernel<Attrs>,
  inputs: readonly Tensor[],
  attrs: Attrs,
  options?: RunOptions,
): Tensor => runKernel(op, kernel, inputs, attrs, options)[0] as Tensor;

function checkInputs(op: string, inputs: readonly Tensor[]): void {
  const device = inputs[0]?.device;
  for (const input of inputs) {
    assertTensor(op, input);
    if (input.device !== device) {
      throw new DeviceMismatchError(
        `${op}: its tensors live on different devices (${device?.description}; ${input.device.description}). ` +
          `Move one of them with tensor.to(device).`,
      );
    }
  }
}

/** Applies an op and joins it to the graph; several outputs. */
export function applyAll<Attrs>(op: Op<Attrs>, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
  checkInputs(op.name, inputs);
  let tracked = false;
  if (isGradEnabled()) for (const input of inputs) if (input.requiresGrad) tracked = true;
  if (!tracked) {
    const result = op.forward(inputs, attrs);
    return result instanceof Tensor ? [result] : [...result];
  }
  const result = noGrad(() => op.forward(inputs, attrs));
  const outputs = (result instanceof Tensor ? [result] : [...result]).map(
    (output) => (inputs.includes(output) ? output.view('view') : output), // A forward may hand an input through.
  );
  if (!outputs.some((output) => isFloat(output.dtype))) return outputs; // Nothing to differentiate.
  const needs = inputs.map((input) => input.requiresGrad);
  const node = new Node(
    op as Op<unknown>,
    attrs,
    inputs.map((input) => (input.requiresGrad ? input.state : null)),
    inputs.map(({ shape, dtype }) => ({ shape, dtype })),
    outputs.map(({ shape, dtype }) => ({ shape, dtype })),
    anomalyMode() ? userFrame() : null,
  );
  outputs.forEach((output, index) => {
    if (isFloat(output.dtype)) output.join(new GradState(true, node, index));
  });
  if (op.saves) node.save(op.saves(inputs, outputs, needs, attrs));
  const { device } = outputs[0] as Tensor;
  if (device.observers)
    for (const observer of device.observers) observer.node?.({ op: op.name, id: node.id });
  return outputs;
}

/** Applies an op and joins it to the graph; the first output. */
export const apply = <Attrs>(op: Op<Attrs>, inputs: readonly Tensor[], attrs: Attrs): Tensor =>
  applyAll(op, inputs, attrs)[0] as Tensor;
