// gpu.js on WebGPU: the plainest kernel for each task, results kept on the device (pipeline mode).
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

const size = (shape) => shape.reduce((product, extent) => product * extent, 1);

/**
 * For each task: output (x first), constants, and the kernel; `this` is gpu.js's. Tasks in two stages are in `stagesOf`.
 */
const tasks = {
  matmul: ([[m, k], [, n]]) => [
    [n, m],
    { k },
    function (a, b) {
      let sum = 0;
      for (let i = 0; i < this.constants.k; i++) sum += a[this.thread.y][i] * b[i][this.thread.x];
      return sum;
    },
  ],
  matmulTransposedA: ([[k, m], [, n]]) => [
    [n, m],
    { k },
    function (a, b) {
      let sum = 0;
      for (let i = 0; i < this.constants.k; i++) sum += a[i][this.thread.y] * b[i][this.thread.x];
      return sum;
    },
  ],
  matmulTransposedB: ([[m, k], [n]]) => [
    [n, m],
    { k },
    function (a, b) {
      let sum = 0;
      for (let i = 0; i < this.constants.k; i++) sum += a[this.thread.y][i] * b[this.thread.x][i];
      return sum;
    },
  ],
  sumRows: ([[m, n]]) => [
    [m],
    { n },
    function (x) {
      let sum = 0;
      for (let i = 0; i < this.constants.n; i++) sum += x[this.thread.x][i];
      return sum;
    },
  ],
  sumColumns: ([[m, n]]) => [
    [n],
    { m },
    function (x) {
      let sum = 0;
      for (let i = 0; i < this.constants.m; i++) sum += x[i][this.thread.x];
      return sum;
    },
  ],
  add: ([a, b]) =>
    a.length === b.length
      ? [
          [size(a)],
          {},
          function (x, y) {
            return x[this.thread.x] + y[this.thread.x];
          },
        ]
      : [
          [a[1], a[0]],
          {},
          function (x, y) {
            return x[this.thread.y][this.thread.x] + y[this.thread.x];
          },
        ],
  chain: ([x]) => [
    [size(x)],
    {},
    function (x) {
      const value = x[this.thread.x];
      const t = Math.tanh(value * 0.9 + 0.1);
      const root = Math.sqrt(t * t + 1);
      return value / (1 + Math.exp(root)) - 0.5;
    },
  ],
  transpose: ([[m, n]]) => [
    [m, n],
    {},
    function (x) {
      return x[this.thread.x][this.thread.y];
    },
  ],
  permute201: ([[a, b, c]]) => [
    [b, a, c],
    {},
    function (x) {
      return x[this.thread.y][this.thread.x][this.thread.z];
    },
  ],
  randomNormal: () => [
    [1_000_000],
    { turn: 2 * Math.PI },
    function () {
      return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(this.constants.turn * Math.random());
    },
  ],
  logSumExp: ([[m, n]]) => [
    [m],
    { n },
    function (x) {
      let high = x[this.thread.x][0];
      for (let i = 1; i < this.constants.n; i++) high = Math.max(high, x[this.thread.x][i]);
      let sum = 0;
      for (let i = 0; i < this.constants.n; i++) sum += Math.exp(x[this.thread.x][i] - high);
      return high + Math.log(sum);
    },
  ],
  sumVector: ([[m]]) => [
    [1],
    { m },
    function (x) {
      let sum = 0;
      for (let i = 0; i < this.constants.m; i++) sum += x[i];
      return sum;
    },
  ],
  expOfDifference: ([[m, n]]) => [
    [n, m],
    {},
    function (shift, x) {
      return Math.exp(x[this.thread.y][this.thread.x] - shift[this.thread.y]);
    },
  ],
  gather: ([[, width], [count]]) => [
    [width, count],
    {},
    function (x, indices) {
      return x[indices[this.thread.y]][this.thread.x];
    },
  ],
};

/** The kernels of a task; a second one takes the result of the first before the inputs. */
const stagesOf = {
  sumAll: ['sumRows', 'sumVector'],
  softmax: ['logSumExp', 'expOfDifference'],
};

const { version } = require('gpu.js/package.json');

export async function open() {
  const { GPU, input } = require('gpu.js');
  if (!(await GPU.isWebGPUAvailable())) throw new Error('gpu.js finds no WebGPU adapter');
  const gpu = new GPU({ mode: 'webgpu' });
  const make = (kernel, output, constants) =>
    gpu.createKernel(kernel, { output, constants, pipeline: true, loopMaxIterations: 1e6 });

  /** Copies an input to the device, so that calls upload nothing. */
  async function upload({ shape, data }) {
    const [z, y, x] = [...Array(3 - shape.length).fill(1), ...shape];
    const values = input(Float32Array.from(data), [x, y, z].slice(0, shape.length));
    const copies = [
      function (v) {
        return v[this.thread.x];
      },
      function (v) {
        return v[this.thread.y][this.thread.x];
      },
      function (v) {
        return v[this.thread.z][this.thread.y][this.thread.x];
      },
    ];
    return make(copies[shape.length - 1], [x, y, z].slice(0, shape.length), {})(values);
  }

  return {
    version,
    async prepare(task, inputs) {
      const stages = (stagesOf[task] ?? [task]).map((stage) => tasks[stage]);
      if (stages.includes(undefined)) return undefined;
      const shapes = inputs.map(({ shape }) => shape);
      const kernels = stages.map((stage) => {
        const [output, constants, kernel] = stage(shapes);
        return { run: make(kernel, output, constants), takes: kernel.length };
      });
      const handles = [];
      for (const each of inputs) handles.push(await upload(each));
      return {
        async call() {
          let result;
          for (const { run, takes } of kernels) {
            const operands = result ? [result, ...handles] : handles;
            result = await run(...operands.slice(0, takes));
          }
          return result;
        },
        release: (result) => result.delete(),
        read: async (result) => flat(await result.toArray()),
        dispose() {
          for (const { run } of kernels) run.destroy();
          for (const handle of handles) handle.delete();
        },
      };
    },
  };
}

const flat = (value) =>
  ArrayBuffer.isView(value) ? value : value.flatMap((part) => [...(Array.isArray(part) ? flat(part) : part)]);
