/** What a kernel's fuzz generator makes; `test/kernels.test.ts` runs it on every device and variant. */
import type fc from 'fast-check';
import type { HostTensor, Kernel } from '../../kernels/kernel.ts';

export interface FuzzCase<Attrs> {
  /** float32, int32, bool or uint8 data; the reference gets the floats widened to float64. */
  readonly inputs: readonly HostTensor[];
  readonly attrs: Attrs;
  /** |gpu − reference| ≤ abs + rel·|reference|; the reason for the numbers stands beside the generator. */
  readonly abs: number;
  readonly rel: number;
}

export interface FuzzFamily<Attrs> {
  readonly label: string;
  readonly kernel: Kernel<Attrs>;
  readonly arbitrary: fc.Arbitrary<FuzzCase<Attrs>>;
}

/** Forgets the attribute type, so that families of different kernels fit into one list. */
export const family = <Attrs>(
  label: string,
  kernel: Kernel<Attrs>,
  arbitrary: fc.Arbitrary<FuzzCase<Attrs>>,
): FuzzFamily<unknown> => ({ label, kernel, arbitrary }) as unknown as FuzzFamily<unknown>;
