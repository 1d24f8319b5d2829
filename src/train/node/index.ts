/** The `callbacks` namespace in Node, with what writes files. */
export * from '../callbacks/index.ts';
export { type Checkpoint, type CheckpointOptions, checkpoint } from './checkpoint.ts';
export { type CsvLogger, type CsvLoggerOptions, csvLogger } from './csv-logger.ts';
