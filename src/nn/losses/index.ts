/**
 * Losses, as functions of targets, predictions and options. They are exported as a namespace, `losses.huber(…)`, since
 * metrics share their names; Rollup and rolldown look through it and keep only the members that are used (esbuild keeps
 * all of them, or none where the namespace is not used).
 */
export { categoricalHinge, hinge, klDivergence, poisson, squaredHinge } from './classification.ts';
export {
  binaryCrossentropy,
  type CategoricalOptions,
  categoricalCrossentropy,
  type SparseOptions,
  sparseCategoricalCrossentropy,
} from './crossentropy.ts';
export { type CtcOptions, ctc } from './ctc.ts';
export type { LossOptions, Reduction } from './options.ts';
export {
  type CosineSimilarityOptions,
  cosineSimilarity,
  type HuberOptions,
  huber,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
} from './regression.ts';
export type { ClassWeight, Weights } from './weights.ts';
