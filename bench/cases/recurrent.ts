/** Recurrent layers over whole sequences, forward and backward. */
import { gru, lstm, mul, type RecurrentResult, type Tensor } from '../../src/node.ts';
import { type BenchCase, bothWays } from './case.ts';

interface Weights {
  readonly kernel: Tensor;
  readonly recurrentKernel: Tensor;
  readonly bias: Tensor;
}

type Layer = (x: Tensor, weights: Weights) => RecurrentResult;

/** Weights this small keep the state from being chaotic, so that contenders can be compared. */
const SCALE = 0.1;

/** A layer over 32 steps of 64 numbers, which returns its sequence. */
function layerCases(
  task: string,
  layer: Layer,
  gates: number,
  biasRows: number | undefined,
  batch: number,
  units: number,
): BenchCase[] {
  const steps = 32;
  const width = 64;
  const columns = gates * units;
  const inputs = [
    { shape: [batch, steps, width] },
    { shape: [width, columns] },
    { shape: [units, columns] },
    { shape: biasRows === undefined ? [columns] : [biasRows, columns] },
  ];
  const f = (...[x, kernel, recurrent, bias]: Tensor[]): Tensor =>
    layer(x as Tensor, {
      kernel: mul(kernel as Tensor, SCALE),
      recurrentKernel: mul(recurrent as Tensor, SCALE),
      bias: bias as Tensor,
    }).sequences;
  const flops = 2 * batch * steps * columns * (width + units);
  const name = `${task.toUpperCase()} ${batch}×${steps}, ${width}→${units}`;
  return [
    { name, task, inputs, flops, run: f },
    {
      name: `${name}, forward and backward`,
      task: `${task}Both`,
      inputs: [...inputs, { shape: [batch, steps, units] }],
      trains: true,
      flops: 3 * flops,
      run: bothWays(f),
    },
  ];
}

const SIZES = [
  [32, 128],
  [1, 128],
  [32, 32],
  [32, 256],
] as const;

export const recurrentCases: readonly BenchCase[] = SIZES.flatMap(([batch, units]) => [
  ...layerCases('lstm', lstm, 4, undefined, batch, units),
  ...layerCases('gru', gru, 3, 2, batch, units),
]);
