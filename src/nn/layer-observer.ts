/** Who watches layers at work: summaries, comparisons of devices, profilers, checks for NaN, the doctor. */
import type { Tensor } from '../autograd/tensor.ts';
import type { Layer } from './layer.ts';

export interface LayerObserver {
  enter?(layer: Layer, inputs: readonly Tensor[]): void;
  /** After the call, also of layers that hold other layers, inner ones first. */
  leave?(layer: Layer, inputs: readonly Tensor[], outputs: readonly Tensor[]): void;
}

let observers: readonly LayerObserver[] = [];

/** Watches all layers; the returned function ends it. */
export function observeLayers(observer: LayerObserver): () => void {
  observers = [...observers, observer];
  return () => {
    observers = observers.filter((other) => other !== observer);
  };
}

export const layerObservers = (): readonly LayerObserver[] => observers;
