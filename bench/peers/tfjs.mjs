// TensorFlow.js with its WebGPU backend.
import { createRequire } from 'node:module';

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
});

export async function open() {
  const tf = require('@tensorflow/tfjs-core');
  require('@tensorflow/tfjs-backend-webgpu');
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
      const tensors = inputs.map(({ shape, data }) =>
        tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32'),
      );
      return {
        call: () => tf.tidy(() => run(...tensors)),
        release: (result) => result.dispose(),
        async read(result) {
          const data = await result.data();
          result.dispose();
          return data;
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
