/** The textbook 16×16 workgroup-tiled matmul, as a yardstick. */
import { type Kernel, pipelineSpec, wgslModule } from '../kernels/kernel.ts';
import source from './textbook-matmul.wgsl';

const module = wgslModule('textbook-matmul', source);
const pipeline = pipelineSpec(module, 'textbook', ['read', 'read', 'write'], 4);

const sizes = (inputs: readonly { shape: readonly number[] }[]): [m: number, n: number, k: number] => {
  const [a, b] = inputs as [{ shape: number[] }, { shape: number[] }];
  return [a.shape[0] as number, b.shape[1] as number, a.shape[1] as number];
};

export const textbookKernel: Kernel<undefined> = {
  name: 'textbook-matmul',
  variants: ['default'],
  infer(_op, inputs) {
    const [m, n] = sizes(inputs);
    return [{ shape: [m, n], dtype: 'float32' }];
  },
  plan(inputs) {
    const [m, n, k] = sizes(inputs);
    const uniforms = new Uint32Array([m, n, k, 0]);
    const workgroups = [Math.ceil(n / 16), Math.ceil(m / 16), 1] as const;
    return { steps: [{ pipeline, buffers: ['in0', 'in1', 'out0'], uniforms, workgroups }] };
  },
  reference() {
    throw new Error('The textbook kernel is only timed; its results are compared with those of matmul.');
  },
};
