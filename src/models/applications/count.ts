/** How large a network is, without its memory. */
import { withDefaultDevice } from '../../runtime/default-device.ts';
import { ShapeDevice } from '../../runtime/shape-device.ts';
import type { Model } from '../model.ts';

export interface ParameterCounts {
  /** All weights, the moving statistics of batch normalisation included: what Keras counts. */
  readonly total: number;
  /** Those that are trained: what papers and torchvision count. */
  readonly trainable: number;
}

/**
 * The numbers of a model's weights, found without making them: VGG-16's 553 MB cost nothing here. The model must begin with
 * `input()`, as those of this folder do.
 *
 * ```ts
 * countParameters(() => applications.vgg16()).trainable // 138357544
 * ```
 */
export function countParameters(make: () => Model): ParameterCounts {
  return withDefaultDevice(new ShapeDevice('float32'), () => {
    const model = make();
    const trainable = model.trainableWeights.reduce((sum, { value }) => sum + value.size, 0);
    const counts = { total: model.countParams(), trainable };
    model.dispose();
    return counts;
  });
}
