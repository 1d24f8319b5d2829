/** Microbenchmarks: `npm run bench`. Prints medians of one run; ratios across runs mean little. */
import { matmulKernel } from '../kernels/matmul.ts';
import { GpuDevice, init, noGrad, randomUniform, runKernel1, tensor } from '../src/node.ts';
import { measureDispatch } from './dispatch.ts';
import { measure } from './measure.ts';
import { textbookKernel } from './textbook-matmul.ts';

const device = await init();
if (!(device instanceof GpuDevice)) throw new Error('The benchmarks need a GPU device; see `wgrad devices`.');
console.log(`${device.description}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}`);

/** GFLOP/s of n³ multiply-adds in this many seconds. */
const gigaflops = (n: number, seconds: number): number => (2 * n ** 3) / seconds / 1e9;

async function benchMatmul(n: number): Promise<void> {
  const a = randomUniform([n, n], -1, 1);
  const b = randomUniform([n, n], -1, 1);
  const attrs = { transposeA: false, transposeB: false, bias: false, activation: 'linear' as const };
  const ours = () => noGrad(() => runKernel1('matmul', matmulKernel, [a, b], attrs));
  const textbook = () => noGrad(() => runKernel1('textbook', textbookKernel, [a, b], undefined));
  const [first, second] = [ours(), textbook()];
  const [x, y] = await Promise.all([first.data(), second.data()]);
  let difference = 0;
  for (let index = 0; index < x.length; index++) {
    difference = Math.max(difference, Math.abs((x[index] as number) - (y[index] as number)));
  }
  if (!(difference < 1e-3)) throw new Error(`matmul ${n}: the kernels differ by ${difference}.`);
  first.dispose();
  second.dispose();
  const time = async (run: typeof ours): Promise<number> => {
    const { median } = await measure(`matmul ${n}`, async () => {
      run().dispose();
      await device.idle();
    });
    return median;
  };
  const [wgrad, plain] = [await time(ours), await time(textbook)];
  console.log(
    `matmul ${n}³: ${(1e3 * wgrad).toFixed(2)} ms, ${gigaflops(n, wgrad).toFixed(1)} GFLOP/s; textbook 16×16 tile ` +
      `${(1e3 * plain).toFixed(2)} ms, ${gigaflops(n, plain).toFixed(1)} GFLOP/s; ratio ${(plain / wgrad).toFixed(1)}`,
  );
  a.dispose();
  b.dispose();
}

const small = [tensor([1, 2, 3, 4]), tensor([5, 6, 7, 8])] as const;
const { op, bare } = await measureDispatch(device, ...small);
console.log(
  `dispatch of add, 4 elements: ${op.toFixed(1)} µs; bare loop ${bare.toFixed(1)} µs; difference ${(op - bare).toFixed(1)} µs`,
);
await benchMatmul(512);
device.destroy();
