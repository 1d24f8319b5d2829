// jax-js on WebGPU; every task is compiled with jit, which fuses what it can.
import { readFileSync } from 'node:fs';

// Arguments are consumed, hence `ref` where one is used twice.
const tasks = ({ numpy: np, nn, random }) => ({
  matmul: (a, b) => np.matmul(a, b),
  matmulTransposedA: (a, b) => np.matmul(np.transpose(a), b),
  matmulTransposedB: (a, b) => np.matmul(a, np.transpose(b)),
  sumRows: (x) => np.sum(x, 1),
  sumColumns: (x) => np.sum(x, 0),
  sumAll: (x) => np.sum(x),
  softmax: (x) => nn.softmax(x),
  add: (a, b) => np.add(a, b),
  chain(x) {
    const root = np.sqrt(np.square(np.tanh(x.ref.mul(0.9).add(0.1))).add(1));
    return nn.sigmoid(root.neg()).mul(x).sub(0.5);
  },
  transpose: (x) => np.transpose(x),
  permute201: (x) => np.transpose(x, [2, 0, 1]),
  gather: (x, indices) => np.take(x, indices, 0),
  randomNormal: (key) => random.normal(key, [1_000_000]),
});

export async function open() {
  const jax = await import('@jax-js/jax');
  const devices = await jax.init('webgpu');
  if (!devices.includes('webgpu')) throw new Error('jax-js cannot open its WebGPU backend');
  jax.defaultDevice('webgpu');
  const known = tasks(jax);
  const { version } = JSON.parse(
    readFileSync(new URL('../node_modules/@jax-js/jax/package.json', import.meta.url), 'utf8'),
  );
  return {
    version,
    async prepare(task, inputs) {
      if (!known[task]) return undefined;
      const run = jax.jit(known[task]);
      const arrays =
        task === 'randomNormal'
          ? [jax.random.key(1)]
          : inputs.map(({ shape, data }) => jax.numpy.array(data, { shape: [...shape] }));
      return {
        call: () => run(...arrays.map((array) => array.ref)),
        release(result) {
          result.gpuBufferSync(); // Unread results would never be computed; this gives the array up, too.
        },
        read: (result) => result.data(),
        dispose() {
          for (const array of arrays) array.dispose();
        },
      };
    },
  };
}
