/** What a model takes and gives, as far as it is known before the first call. */
import type { DType } from '../core/dtype.ts';
import type { Layer } from '../nn/layer.ts';
import type { PartialShape } from '../nn/partial-shape.ts';

export interface Port {
  /** What data, losses and metrics find it by. */
  readonly name: string;
  /** The batch included; null where it is not known. */
  readonly shape: PartialShape | null;
  readonly dtype: DType | 'float' | null;
  /** The layer at this end of the network, for messages. */
  readonly layer: string | null;
  /** What whole numbers of an input stay below. Default: any will do. */
  readonly limit?: number | null;
}

export interface Signature {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** What can be trained: a layer that knows its ends. */
export interface Trainable extends Layer {
  signature(): Signature;
}
