// jax-js on WebGPU; every task is compiled with jit, which fuses what it can.
import { readFileSync } from 'node:fs';
import { joined } from '../contender.ts';

// Arguments are consumed, hence `ref` where one is used twice.
const tasks = ({ numpy: np, nn, random, lax }) => ({
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
  argMax: (x) => np.argmax(x, 1).astype('float32'),
  cumsum: (x) => np.cumsum(x, 1),
  sort: (x) => np.sort(x, 1),
  topk: (x) => lax.topK(x, 10)[0],
  concat: (a, b) => np.concatenate([a, b], 1),
  pad: (x) =>
    np.pad(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]),
  where: (condition, a, b) => np.where(condition, a, b),
  toInt: (x) => x.astype('int32').astype('float32'),
  upperTriangle: (x) => np.triu(x),
  cholesky: (x) => np.linalg.cholesky(x),
  solve: (a, b) => np.linalg.solve(a, b),
});

/** A typed array as it is; truth values as such. */
const arrayOf = (np, shape, data, dtype) =>
  dtype === 'bool'
    ? np.array(Int32Array.from(data), { shape: [...shape] }).astype('bool')
    : np.array(data, { shape: [...shape] });

/** Its convolutions take the channels first: images and filters are turned before and after what is timed. */
const TURNED = {
  image: { there: [0, 3, 1, 2], back: [0, 2, 3, 1] },
  filter: { there: [3, 2, 0, 1], back: [2, 3, 1, 0] },
};

/** Tasks that are timed forward and, as `…Both`, forward and backward; `inputs` are those with a gradient. */
const layers = ({ numpy: np, nn, lax }) => ({
  convSame: { f: (x, w) => lax.conv(x, w, [1, 1], 'SAME'), inputs: ['image', 'filter'] },
  convValid: { f: (x, w) => lax.conv(x, w, [1, 1], 'VALID'), inputs: ['image', 'filter'] },
  maxPool: {
    f(x) {
      const [n, h, w, c] = x.shape;
      return np.max(x.reshape([n, h / 2, 2, w / 2, 2, c]), [2, 4]);
    },
    inputs: [undefined],
  },
  batchNorm: {
    f(x, gamma, beta) {
      const mean = np.mean(x.ref, [0, 1, 2]);
      const centred = x.sub(mean);
      const variance = np.mean(np.square(centred.ref), [0, 1, 2]);
      return centred.mul(gamma.div(np.sqrt(variance.add(1e-3)))).add(beta);
    },
    inputs: [undefined, undefined, undefined],
  },
  localResponseNorm: {
    f(x) {
      const channels = x.shape.at(-1);
      const squares = np.pad(np.square(x.ref), [
        [0, 0],
        [0, 0],
        [0, 0],
        [5, 5],
      ]);
      let sum = squares.ref.slice([], [], [], [0, channels]);
      for (let at = 1; at < 11; at++) sum = sum.add(squares.ref.slice([], [], [], [at, at + channels]));
      squares.dispose();
      return x.div(np.sqrt(sum.add(1)));
    },
    inputs: [undefined],
  },
  crossEntropy: {
    f(logits, labels) {
      const [rows, classes] = logits.shape;
      return np.sum(nn.logSoftmax(logits, 1).mul(nn.oneHot(labels, classes))).mul(-1 / rows);
    },
    inputs: [undefined],
    labelsFirst: true,
  },
});

/** A layer as a task: what is compiled, and how its inputs and results are turned. */
function layerTask({ vjp }, { f, inputs, labelsFirst = false }, both) {
  const turns = [...inputs, inputs[0] === 'image' ? 'image' : undefined];
  const forward = labelsFirst ? (labels, x) => f(x, labels) : f;
  if (!both) return { run: forward, inputs: turns, results: [turns.at(-1)] };
  const run = (...all) => {
    const dy = all.pop();
    const labels = labelsFirst ? all.shift() : undefined;
    const [y, pull] = vjp((...own) => (labels ? f(...own, labels) : f(...own)), all);
    return [y, ...pull(dy)];
  };
  return { run, inputs: turns, results: [turns.at(-1), ...inputs] };
}

export async function open() {
  const jax = await import('@jax-js/jax');
  const devices = await jax.init('webgpu');
  if (!devices.includes('webgpu')) throw new Error('jax-js cannot open its WebGPU backend');
  jax.defaultDevice('webgpu');
  const known = tasks(jax);
  for (const [name, layer] of Object.entries(layers(jax))) {
    known[name] = layerTask(jax, layer, false);
    known[`${name}Both`] = layerTask(jax, layer, true);
  }
  const { numpy: np } = jax;
  const turn = (array, kind, way) => (kind ? np.transpose(array, TURNED[kind][way]) : array);
  const { version } = JSON.parse(
    readFileSync(new URL('../node_modules/@jax-js/jax/package.json', import.meta.url), 'utf8'),
  );
  return {
    version,
    async prepare(task, inputs) {
      const entry = known[task];
      if (!entry) return undefined;
      const { run: f, inputs: turns = [], results: back = [] } = entry.run ? entry : { run: entry };
      const run = jax.jit((...all) => [f(...all)].flat());
      const arrays =
        task === 'randomNormal'
          ? [jax.random.key(1)]
          : inputs.map(({ shape, data, dtype }, index) =>
              turn(arrayOf(np, shape, data, dtype), turns[index], 'there'),
            );
      for (const array of arrays) await array.blockUntilReady();
      return {
        call: () => run(...arrays.map((array) => array.ref)),
        release(results) {
          for (const result of results) result.gpuBufferSync(); // Unread results would never be computed; this gives the array up, too.
        },
        read: async (results) =>
          joined(await Promise.all(results.map((result, index) => turn(result, back[index], 'back').data()))),
        dispose() {
          for (const array of arrays) array.dispose();
        },
      };
    },
  };
}
