/** The `callbacks` namespace: what `fit({ callbacks })` takes. */

export { type ProgressOptions, type ProgressStream, progress } from '../progress.ts';
export { type EarlyStopping, type EarlyStoppingOptions, earlyStopping } from './early-stopping.ts';
export {
  type EpochRate,
  type LearningRateScheduler,
  learningRateScheduler,
} from './learning-rate-scheduler.ts';
export {
  type ReduceLearningRateOnPlateau,
  type ReduceLearningRateOnPlateauOptions,
  reduceLearningRateOnPlateau,
} from './reduce-on-plateau.ts';
export { type NonFinite, type TerminateOnNaN, terminateOnNaN } from './terminate-on-nan.ts';
