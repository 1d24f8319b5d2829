// TensorFlow.js with its WebGPU backend.
import { createRequire } from 'node:module';
import { rolldown } from 'rolldown';
import { joined } from '../contender.ts';

const require = createRequire(import.meta.url);

const tasks = (tf) => ({
  matmul: (a, b) => tf.matMul(a, b),
  matmulTransposedA: (a, b) => tf.matMul(a, b, true, false),
  matmulTransposedB: (a, b) => tf.matMul(a, b, false, true),
  sumRows: (x) => tf.sum(x, 1),
  sumColumns: (x) => tf.sum(x, 0),
  sumAll: (x) => tf.sum(x),
  softmax: (x) => tf.softmax(x),
  add: (a, b) => tf.add(a, b),
  chain(x) {
    const root = tf.sqrt(tf.add(tf.square(tf.tanh(tf.add(tf.mul(x, 0.9), 0.1))), 1));
    return tf.sub(tf.mul(tf.sigmoid(tf.neg(root)), x), 0.5);
  },
  transpose: (x) => tf.transpose(x),
  permute201: (x) => tf.transpose(x, [2, 0, 1]),
  gather: (x, indices) => tf.gather(x, indices),
  randomNormal: () => tf.randomNormal([1_000_000]),
  argMax: (x) => tf.argMax(x, 1),
  cumsum: (x) => tf.cumsum(x, 1),
  topk: (x) => tf.topk(x, 10).values,
  scatterAdd: (indices, values) => tf.scatterND(tf.expandDims(indices, 1), values, [10_000, 64]),
  concat: (a, b) => tf.concat([a, b], 1),
  pad: (x) =>
    tf.pad(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]),
  where: (condition, a, b) => tf.where(condition, a, b),
  toInt: (x) => tf.cast(x, 'int32'),
  fill: () => tf.fill([1_000_000], 0.5),
  upperTriangle: (x) => tf.linalg.bandPart(x, 0, -1),
  ...bothWays(tf, {
    convSame: (x, w) => tf.conv2d(x, w, 1, 'same'),
    convValid: (x, w) => tf.conv2d(x, w, 1, 'valid'),
    maxPool: (x) => tf.maxPool(x, 2, 2, 'valid'),
    batchNorm(x, gamma, beta) {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      return tf.batchNorm(x, mean, variance, beta, gamma, 1e-3);
    },
    localResponseNorm: (x) => tf.localResponseNormalization(x, 5, 1, 1, 0.5),
    crossEntropy: (labels, logits) =>
      tf.losses.softmaxCrossEntropy(tf.oneHot(labels, logits.shape[1]), logits),
  }),
});

/** Each task forward, and as `…Both` forward and backward: its result, and the gradients for its float inputs. */
function bothWays(tf, forward) {
  const all = {};
  for (const [name, f] of Object.entries(forward)) {
    all[name] = f;
    all[`${name}Both`] = (...inputs) => {
      const dy = inputs.pop();
      const wanted = inputs.filter(({ dtype }) => dtype === 'float32');
      const { value, grads } = tf.engine().gradients(() => f(...inputs), wanted, dy);
      return [value, ...grads];
    };
  }
  return all;
}

/**
 * Its gradients come as modules for bundlers only. The bundle has a second copy of the core in it, but the registry of
 * gradients and the engine are global.
 */
async function registerGradients() {
  const bundle = await rolldown({
    input: require.resolve('@tensorflow/tfjs-core/dist/register_all_gradients.js'),
    logLevel: 'silent',
  });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  await import(`data:text/javascript;base64,${Buffer.from(output[0].code).toString('base64')}`);
}

export async function open() {
  const tf = require('@tensorflow/tfjs-core');
  require('@tensorflow/tfjs-backend-webgpu');
  await registerGradients();
  if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js cannot open its WebGPU backend');
  await tf.ready();
  tf.env().set('WEBGPU_CPU_FORWARD', false); // Or small tensors would never see the GPU.
  const backend = tf.backend();
  const known = tasks(tf);
  return {
    version: tf.version_core,
    prepare(task, inputs) {
      const run = known[task];
      // Its random numbers are drawn on the host.
      if (!run || task === 'randomNormal') return undefined;
      const tensors = inputs.map(({ shape, data, dtype }) =>
        tf.tensor(data, [...shape], dtype ?? (data instanceof Int32Array ? 'int32' : 'float32')),
      );
      return {
        call: () => tf.tidy(() => [run(...tensors)].flat()),
        release: (results) => tf.dispose(results),
        async read(results) {
          const parts = await Promise.all(results.map((result) => result.data()));
          tf.dispose(results);
          return joined(parts);
        },
        dispose: () => tf.dispose(tensors),
      };
    },
    flush() {
      if (!backend.commandEncoder) return;
      backend.endComputePassEncoder();
      backend.submitQueue();
    },
  };
}
