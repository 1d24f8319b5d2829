/** The `data` namespace: datasets, what is read into them, and what is generated. */
export type { Batch, Column } from './batch.ts';
export {
  type ColumnLike,
  type FromArraysOptions,
  from,
  fromArrays,
  fromTensors,
} from './create.ts';
export { type CsvData, type CsvOptions, csv, type TextSource } from './csv.ts';
export {
  type BatchOptions,
  Dataset,
  DatasetIterator,
  type Position,
  type ShuffleOptions,
  type Tensors,
} from './dataset.ts';
export { type DigitsOptions, digits } from './digits.ts';
export * from './generated.ts';
export { idxImages } from './mnist.ts';
