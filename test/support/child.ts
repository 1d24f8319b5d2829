/** A whole program for tests of the way out: opens a device, computes, and ends with or without `destroy()`. */
import { init, matmul, scope, softmax, sum, tensor } from '../../src/node.ts';

const device = await init();
const total = scope(() => {
  const x = tensor(
    [
      [1, 2],
      [3, 4],
    ],
    { requiresGrad: true },
  );
  const loss = sum(softmax(matmul(x, x)));
  loss.backward();
  return loss.detach();
});
console.log(`total ${(await total.item()).toFixed(3)}`);
if (process.argv[2] === 'destroy') device.destroy();
