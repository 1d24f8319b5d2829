/** The only hook into a running program: profilers, ledgers, NaN finders and the doctor all observe. */
import type { Operand } from './device.ts';

export interface Observer {
  /** A pipeline was compiled. */
  pipeline?(info: { key: string; milliseconds: number }): void;
  /** An op ran (CPU) or was recorded (GPU). */
  dispatch?(info: {
    op: string;
    kernel: string;
    inputs: readonly Operand[];
    outputs: readonly Operand[];
  }): void;
  /** Recorded work went to the queue. */
  submit?(info: { dispatches: number; copies: number }): void;
  alloc?(info: { op: string; bytes: number; reused: boolean }): void;
  free?(info: { bytes: number }): void;
  /** A node joined the graph. */
  node?(info: { op: string; id: number }): void;
  /** Backward delivered the gradient of an op's input. */
  gradient?(info: { op: string; id: number; input: number; gradient: Operand }): void;
}
