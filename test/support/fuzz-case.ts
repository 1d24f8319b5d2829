/** What a kernel's fuzz generator makes; `test/kernels.test.ts` runs it on every device and variant. */
import type fc from 'fast-check';
import type { HostTensor, Kernel } from '../../kernels/kernel.ts';

export interface FuzzCase<Attrs> {
  /** float32, int32, bool or uint8 data; the reference gets the floats widened to float64. */
  readonly inputs: readonly HostTensor[];
  readonly attrs: Attrs;
  /** What stands in the outputs of a kernel that updates them. */
  readonly targets?: readonly HostTensor[];
  /** |gpu − reference| ≤ abs + rel·|reference|; the reason for the numbers stands beside the generator. */
  readonly abs: number;
  readonly rel: number;
}

export interface FuzzFamily<Attrs> {
  readonly label: string;
  readonly kernel: Kernel<Attrs>;
  readonly arbitrary: fc.Arbitrary<FuzzCase<Attrs>>;
  /** Cases of each variant in the long tests, where the usual number is too small for all options. */
  readonly runs?: number;
}

/** Forgets the attribute type, so that families of different kernels fit into one list. */
export const family = <Attrs>(
  label: string,
  kernel: Kernel<Attrs>,
  arbitrary: fc.Arbitrary<FuzzCase<Attrs>>,
  runs?: number,
): FuzzFamily<unknown> =>
  ({ label, kernel, arbitrary, ...(runs === undefined ? {} : { runs }) }) as unknown as FuzzFamily<unknown>;
