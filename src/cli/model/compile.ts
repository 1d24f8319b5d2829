/** The loss, the metrics and the optimizer that suit a model and its task. */
import type { Model } from '../../models/model.ts';
import { OPTIMIZERS, type OptimizerName } from '../../train/compile.ts';
import type { Task } from './task.ts';

/** What the user asked for. */
export interface Learning {
  /** Default: adam. */
  readonly optimizer?: OptimizerName | undefined;
  /** Default: 0.001; 0.005 for the rows of tables, whose networks are small. */
  readonly learningRate?: number | undefined;
}

/** Whether the last layer makes probabilities; else its output is taken for logits. */
export function endsInSoftmax(model: Model): boolean {
  const { layer } = model.signature().outputs[0] ?? { layer: null };
  const last = model.sublayers().find(([name]) => name === layer)?.[1];
  if (!last) return false;
  return last.type === 'softmax' || (last.options as { activation?: unknown }).activation === 'softmax';
}

/**
 * Compiles the model: cross-entropy and accuracy for classes, the mean of squares and the mean absolute error for numbers. One
 * that its module compiled stays as it is, unless `learning` was asked for.
 */
export function compileFor(model: Model, task: Task, learning: Learning | null): void {
  if (model.compiled && learning === null) return;
  const { optimizer = 'adam', learningRate = task.inputShape.length === 1 ? 5e-3 : 1e-3 } = learning ?? {};
  model.compile({
    optimizer: OPTIMIZERS[optimizer]({ learningRate }),
    ...(task.kind === 'classification'
      ? {
          loss: { loss: 'sparseCategoricalCrossentropy', fromLogits: !endsInSoftmax(model) },
          metrics: ['accuracy'],
        }
      : { loss: 'meanSquaredError', metrics: ['mae'] }),
  });
}
