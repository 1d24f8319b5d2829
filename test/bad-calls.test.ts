/** Wrong calls: each throws a typed error that names the op, the shapes where they matter, and a way out. */
import * as assert from 'uvu/assert';
import { WgradError } from '../src/core/errors.ts';
import * as w from '../src/node.ts';
import { type Device, scope, setDefaultDevice, type Tensor, tensor } from '../src/node.ts';
import { cpuDevice, suite, testDevice } from './support/harness.ts';
import { resultOf } from './support/values.ts';

/** The ops by name; a namespace is not indexed. */
const byName: typeof w = w;

/** What no type checker would let through, but JavaScript does. */
// biome-ignore lint/suspicious/noExplicitAny: these calls are wrong on purpose.
type Wrong = any;

type Row = readonly [call: (other: Device) => unknown, code: string, ...parts: RegExp[]];

const v3 = (): Tensor => tensor([1, 2, 3]);
const v2 = (): Tensor => tensor([1, 2]);
const m = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const int = (): Tensor => tensor([1, 2, 3], { dtype: 'int32' });
const bool = (): Tensor => tensor([true, false, true]);
const bytes = (): Tensor => tensor(new Uint8Array([1, 2, 3]));
const scalar = (): Tensor => tensor(1);
const gone = (t: Tensor = v3()): Tensor => {
  t.dispose();
  return t;
};
const elsewhere = (device: Device): Tensor => tensor([1, 2, 3], { device });
const leaf = (): Tensor => tensor([1, 2, 3], { requiresGrad: true });
const wrong = (value: unknown): Wrong => value;

/** What a message says to do, or what would be right. */
const HINT =
  /\b(use|pass|cast|make|made|reshape|move|return|keep|call|set|wrap|detach\w*|clip|choose|convert|give|leave|add|take|name|subtract|must|expected|valid|indices are|extents are|has the axes|has no axes|a seed is|a step is|largest rank|of one device|takes|check for|holds tuples of)\b|retainGraph|allowUnused/i;

/** Messages outside of src/ops that say what is wrong and leave the remedy to the reader. */
const PLAIN = /is named twice|^grad: no outputs|^retainGrad: this tensor|^grad: shape/;

const SHAPES: Record<string, readonly Row[]> = {
  'shapes that do not broadcast': [
    ...(
      ['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'mod', 'floorDiv', 'atan2', 'hypot'] as const
    ).map((op): Row => [() => byName[op](v3(), v2()), 'shape', new RegExp(op), /\(3,\)/, /\(2,\)/]),
    ...(['logAddExp', 'equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'] as const).map(
      (op): Row => [() => byName[op](m(), v2()), 'shape', new RegExp(op), /\(2, 3\)/, /\(2,\)/],
    ),
    [() => w.logicalAnd(bool(), tensor([true, false])), 'shape', /logicalAnd/, /\(3,\)/, /\(2,\)/],
    [() => w.where(bool(), v2(), 0), 'shape', /where/, /\(3,\)/, /\(2,\)/],
    [() => w.where(bool(), v3(), v2()), 'shape', /where/, /\(2,\)/],
    [() => w.broadcastTo(v3(), [3, 2]), 'shape', /broadcastTo/, /\(3,\)/, /\(3, 2\)/],
    [() => w.broadcastTo(m(), [3]), 'shape', /broadcastTo/, /\(2, 3\)/, /\(3,\)/],
    [() => w.lerp(v3(), v2(), 0.5), 'shape', /\(3,\)/, /\(2,\)/],
    [() => w.pairwiseDistance(v3(), v2()), 'shape', /\(3,\)/, /\(2,\)/],
    [() => w.pairwiseDistance(scalar(), scalar()), 'shape', /pairwiseDistance/],
    [() => w.cdist(m(), tensor([[1, 2]])), 'shape', /cdist/, /\(2, 3\)/, /\(1, 2\)/],
    [() => w.cdist(v3(), m()), 'shape', /cdist/, /\(3,\)/, /expandDims/],
  ],
  'matrix products': [
    [() => w.matmul(m(), m()), 'shape', /matmul/, /\(2, 3\)/],
    [() => w.matmul(v2(), v3()), 'shape', /matmul/, /2/, /3/],
    [() => w.matmul(scalar(), m()), 'shape', /matmul/, /\(2, 3\)/, /mul\(\)/],
    [() => w.matmul(v2(), m(), { transposeA: true }), 'shape', /matmul/, /vector/],
    [() => w.matmul(m(), v3(), { transposeB: true }), 'shape', /matmul/, /vector/],
    [() => w.matmul(m(), v3(), { bias: v2() }), 'shape', /matmul/, /bias/, /add\(\)/],
    [() => w.matmul(m(), w.ones([3, 2]), { bias: v3() }), 'shape', /matmul/, /bias/, /\(3,\)/],
    [() => w.matmul(m(), w.ones([3, 2]), { bias: wrong(3) }), 'argument', /matmul/],
    [
      () => w.matmul(w.ones([2, 2, 3]), w.ones([3, 3, 2])),
      'shape',
      /matmul/,
      /batch axes/,
      /\(2,\)/,
      /\(3,\)/,
    ],
    [() => w.matmul(int(), int()), 'dtype', /matmul/, /int32/],
    [() => w.matmul(m(), w.ones([3, 2]), { activation: wrong('swoosh') }), 'argument', /matmul/, /swoosh/],
    [() => w.matmul(m(), wrong(2)), 'argument', /matmul/],
    [() => w.matmul(wrong([[1]]), m()), 'argument', /matmul/],
  ],
  'changes of shape': [
    [() => w.reshape(m(), [4, -1]), 'shape', /reshape/, /\(2, 3\)/],
    [() => w.reshape(m(), [5]), 'shape', /reshape/, /\(5,\)/, /\(2, 3\)/],
    [() => w.reshape(m(), [-1, -1]), 'shape', /reshape/],
    [() => w.reshape(m(), [1.5, 4]), 'shape', /reshape/, /1\.5/],
    [() => w.reshape(m(), [Number.NaN]), 'shape', /reshape/, /NaN/],
    [() => w.reshape(w.ones([1]), [1, 1, 1, 1, 1, 1, 1, 1, 1]), 'shape', /reshape/, /rank 9/],
    [() => w.reshape(m(), wrong(6)), 'shape', /reshape/],
    [() => w.reshape(wrong([1, 2]), [2]), 'argument', /reshape/],
    [() => w.squeeze(m(), 0), 'shape', /squeeze/, /\(2, 3\)/],
    [() => w.squeeze(m(), 2), 'shape', /squeeze/, /axis 2/],
    [() => w.expandDims(m(), 3.5), 'shape', /expandDims/, /3\.5/],
    [() => w.expandDims(m(), 4), 'shape', /expandDims/, /axis 4/],
    [() => w.flatten(m(), 1, 0), 'argument', /flatten/],
    [() => w.flatten(m(), 2), 'shape', /flatten/, /axis 2/],
    [() => w.permute(m(), [0, 0]), 'argument', /permute/, /\(2, 3\)/],
    [() => w.permute(m(), [0]), 'argument', /permute/, /\(2, 3\)/],
    [() => w.permute(m(), [0, 2]), 'shape', /permute/, /axis 2/],
    [() => w.transpose(m(), [1, 1]), 'argument', /\(2, 3\)/],
    [() => w.permute(m(), wrong(1)), 'argument', /permute/],
  ],
  axes: [
    ...(['sum', 'mean', 'max', 'min', 'sumSquares', 'norm1', 'variance'] as const).map(
      (op): Row => [() => byName[op](m(), { axis: 2 }), 'shape', new RegExp(op), /axis 2/, /-2 to 1/],
    ),
    [() => w.all(bool(), { axis: 1 }), 'shape', /all/, /axis 1/],
    [() => w.norm(m(), 3, { axis: -3 }), 'shape', /norm/, /axis -3/],
    [() => w.norm(m(), 2, { axis: [0, 0] }), 'argument', /norm/, /twice/],
    [() => w.sum(m(), { axis: [0, -2] }), 'argument', /sum/, /twice/],
    [() => w.sum(scalar(), { axis: 0 }), 'shape', /sum/, /scalar/],
    [() => w.mean(m(), { axis: 0.5 }), 'shape', /mean/, /0\.5/],
    [() => w.max(m(), { axis: Number.NaN }), 'shape', /max/, /NaN/],
    [() => w.argMax(m(), { axis: 2 }), 'shape', /argMax/, /axis 2/],
    [() => w.softmax(m(), 2), 'shape', /softmax/, /axis 2/],
    [() => w.softmax(scalar()), 'shape', /softmax/, /scalar/],
    [() => w.logSoftmax(m(), -3), 'shape', /logSoftmax/, /axis -3/],
    [() => w.logSumExp(m(), { axis: 5 }), 'shape', /logSumExp/, /axis 5/],
    [() => w.sum(m(), { axis: wrong('rows') }), 'shape', /sum/, /axis 'rows'/],
    [() => w.sum(m(), { axis: wrong('0') }), 'shape', /sum/, /axis '0' is no whole number/],
    [() => w.sum(m(), { axis: wrong(['0']) }), 'shape', /sum/, /axis '0'/],
    [() => w.sum(m(), { axis: wrong(null) }), 'shape', /sum/, /axis null/],
    [() => w.sum(scalar(), { axis: wrong(null) }), 'shape', /sum/, /axis null/, /scalar/],
    [() => w.argMax(m(), { axis: wrong(null) }), 'shape', /argMax/, /axis null/],
    [() => w.flip(m(), wrong(null)), 'shape', /flip/, /axis null/],
    [() => w.squeeze(m(), wrong(null)), 'shape', /squeeze/, /axis null/],
    [() => w.squeeze(m(), wrong({})), 'shape', /squeeze/, /a plain object/],
    [() => w.transpose(m(), wrong(null)), 'argument', /transpose/, /axes null/],
    [() => w.reshape(m(), wrong(['6'])), 'shape', /reshape/, /'6'/],
    [() => w.max(w.zeros([0, 3]), { axis: 0 }), 'argument', /max/, /\(0, 3\)/],
    [() => w.argMin(w.zeros([0])), 'argument', /argMin/, /\(0,\)/],
    [() => w.variance(v3(), { correction: 3 }), 'argument', /variance/],
    [() => w.variance(v3(), { correction: Number.NaN }), 'argument', /variance/, /NaN/],
    [() => w.variance(v3(), { correction: -Infinity }), 'argument', /variance/, /-Infinity/],
    [() => w.std(v3(), { correction: wrong('1') }), 'argument', /std/, /'1'/],
    [() => w.sum(m(), { keepDims: wrong('no') }), 'argument', /sum/, /keepDims is 'no'/],
    [() => w.argMin(m(), { keepDims: wrong(1) }), 'argument', /argMin/, /keepDims is 1/],
    [() => w.sort(m(), { descending: wrong(null) }), 'argument', /sort/, /descending is null/],
  ],
};

const VALUES: Record<string, readonly Row[]> = {
  dtypes: [
    ...(['add', 'sub', 'mul', 'maximum', 'equal', 'mod', 'bitwiseAnd'] as const).map(
      (op): Row => [() => byName[op](v3(), int()), 'dtype', new RegExp(op), /float/, /int32/],
    ),
    [() => w.div(int(), int()), 'dtype', /div/, /int32/],
    [() => w.pow(int(), int()), 'dtype', /pow/, /int32/],
    [() => w.add(bool(), bool()), 'dtype', /add/, /bool/],
    [() => w.less(bool(), bool()), 'dtype', /less/, /bool/],
    [() => w.mod(bool(), bool()), 'dtype', /mod/, /bool/],
    [() => w.atan2(int(), int()), 'dtype', /atan2/, /int32/],
    [() => w.bitwiseAnd(v3(), v3()), 'dtype', /bitwiseAnd/, /float/],
    [() => w.bitwiseNot(v3()), 'dtype', /bitwiseNot/, /float/],
    [() => w.leftShift(v3(), 1), 'dtype', /leftShift/, /float/],
    [() => w.rightShift(bool(), 1), 'dtype', /rightShift/, /bool/],
    ...(['exp', 'log', 'sqrt', 'tanh', 'floor', 'cbrt', 'exp2', 'isNaN', 'nanToNum'] as const).map(
      (op): Row => [() => byName[op](int()), 'dtype', new RegExp(op), /int32/, /\(3,\)/],
    ),
    [() => w.neg(bool()), 'dtype', /neg/, /bool/],
    [() => w.exp(bytes()), 'dtype', /exp/, /uint8/],
    [() => w.where(v3(), 1, 0), 'dtype', /where/, /bool/],
    [() => w.where(bool(), v3(), int()), 'dtype', /where/, /int32/],
    [() => w.sum(bytes()), 'dtype', /sum/, /uint8/],
    [() => w.all(v3()), 'dtype', /all/, /float/],
    [() => w.softmax(int()), 'dtype', /softmax/, /int32/],
    [() => w.mean(bool()), 'dtype', /mean/, /bool/],
    [() => w.cast(v3(), 'uint8'), 'dtype', /cast/, /uint8/],
    [() => w.cast(v3(), wrong('float16')), 'dtype', /cast/, /float16/],
    [() => w.zeros([2], { dtype: wrong('int64') }), 'dtype', /zeros/, /int64/],
    [() => w.full([2], 1, { dtype: 'uint8' }), 'dtype', /full/, /uint8/],
    [() => tensor([1], { dtype: wrong('string') }), 'dtype', /tensor/, /string/],
  ],
  'numbers beside tensors': [
    [() => w.add(int(), 0.5), 'dtype', /add/, /0\.5/],
    [() => w.sub(0.5, int()), 'dtype', /sub/, /0\.5/],
    [() => w.sub(int(), 0.5), 'dtype', /^sub: 0\.5 /],
    [() => w.sub(int(), 2 ** 31), 'argument', /^sub/, /2147483648/],
    [() => w.sub(bool(), 1), 'dtype', /^sub/, /bool/],
    [() => w.sub(1, bool()), 'dtype', /^sub/, /bool/],
    [() => w.sub(1, wrong(undefined)), 'argument', /^sub/],
    [() => w.sub(1, wrong(null)), 'argument', /^sub/],
    [() => w.sub(v3(), wrong(null)), 'argument', /^sub/],
    [() => w.maximum(int(), 1.5), 'dtype', /maximum/, /1\.5/],
    [() => w.mod(int(), Number.NaN), 'dtype', /mod/, /NaN/],
    [() => w.mul(int(), 2 ** 31), 'argument', /mul/, /2147483648/],
    [() => w.equal(int(), 2 ** 40), 'argument', /equal/, /1099511627776/],
    [() => w.bitwiseOr(int(), 2 ** 32), 'argument', /bitwiseOr/],
    [() => w.clip(int(), 0.5, 2), 'dtype', /clip/, /0\.5/],
    [() => w.clip(v3(), Number.NaN, 1), 'argument', /clip/, /NaN/],
    [() => w.clip(v3(), 0, wrong(undefined)), 'argument', /clip/, /upper bound/],
    [() => w.add(1, 2), 'argument', /add/, /tensor/],
    [() => w.mod(1, 2), 'argument', /mod/, /tensor/],
    [() => w.lerp(1, 2, 0.5), 'argument', /lerp/, /tensor/],
    [() => w.add(v3(), wrong('1')), 'argument', /add/],
    [() => w.mul(wrong(null), v3()), 'argument', /mul/],
    [() => w.mul(v3(), wrong([1, 2, 3])), 'argument', /mul/],
    [() => w.add(v3(), wrong(5n)), 'argument', /add/],
    [() => w.maximum(v3(), wrong(undefined)), 'argument', /maximum/],
    [() => w.exp(wrong(1)), 'argument', /exp/],
    [() => w.exp(wrong(undefined)), 'argument', /exp/],
    [() => w.sum(wrong([1, 2])), 'argument', /sum/],
    [() => w.softmax(wrong(1)), 'argument', /softmax/],
    [() => w.norm(v3(), Number.NaN), 'argument', /norm/, /NaN/],
    [() => w.norm(v3(), wrong('fro')), 'argument', /norm/, /fro/],
    [() => w.nanToNum(v3(), { nan: wrong('0') }), 'argument', /nanToNum/, /nan/],
    [() => w.leakyRelu(v3(), wrong('0.1')), 'argument', /leakyRelu/],
    [() => w.pow(v3(), wrong('2')), 'argument', /pow/],
    [() => w.where(wrong(true), v3(), 0), 'argument', /where/],
    [() => w.logicalNot(wrong(true)), 'argument', /logicalNot/],
  ],
  'host data': [
    [() => tensor([[1, 2], [3]]), 'shape', /tensor/, /ragged/],
    [() => tensor([[1], 2]), 'shape', /tensor/, /ragged/],
    [() => tensor([1, [2]]), 'shape', /tensor/, /ragged/],
    [() => tensor([[[1]], [[1, 2]]]), 'shape', /tensor/, /ragged/],
    [() => tensor([wrong('a')]), 'shape', /tensor/, /number/],
    [() => tensor(wrong(undefined)), 'shape', /tensor/],
    [() => tensor(wrong(null)), 'shape', /tensor/],
    [() => tensor([wrong(2n ** 40n)], { dtype: 'int32' }), 'dtype', /tensor/, /1099511627776/],
    [() => tensor(wrong(new BigInt64Array([2n ** 40n]))), 'dtype', /tensor/, /1099511627776/],
    [() => tensor(wrong(new Uint32Array([2 ** 31]))), 'dtype', /tensor/, /2147483648/],
    [() => tensor([1.5], { dtype: 'int32' }), 'dtype', /tensor/, /element 0/],
    [() => tensor([Number.NaN], { dtype: 'int32' }), 'dtype', /tensor/, /NaN/],
    [() => tensor([2 ** 31], { dtype: 'int32' }), 'dtype', /tensor/, /int32/],
    [() => tensor([256], { dtype: 'uint8' }), 'dtype', /tensor/, /256/],
    [() => tensor([1, 2, 3], { shape: [2, 2] }), 'shape', /tensor/, /\(2, 2\)/],
    [() => tensor([1, 2], { shape: [-2, -1] }), 'shape', /tensor/, /-2/],
    [() => tensor(wrong(new DataView(new ArrayBuffer(8)))), 'argument', /tensor/],
    [() => tensor(wrong(new Map())), 'shape', /tensor/],
  ],
  creation: [
    [() => w.zeros([-1]), 'shape', /zeros/, /-1/],
    [() => w.ones([2.5]), 'shape', /ones/, /2\.5/],
    [() => w.full([Number.NaN], 1), 'shape', /full/, /NaN/],
    [() => w.zeros(wrong(3)), 'shape', /zeros/],
    [() => w.zeros(wrong(undefined)), 'shape', /zeros/],
    [() => w.full([2], 0.5, { dtype: 'int32' }), 'argument', /full/, /0\.5/],
    [() => w.full([2], 2 ** 31, { dtype: 'int32' }), 'argument', /full/, /2147483648/],
    [() => w.full([2], wrong('1')), 'argument', /full/],
    [() => w.eye(-1), 'shape', /eye/],
    [() => w.arange(0, 1, 0), 'argument', /arange/, /step/],
    [() => w.arange(0, Number.POSITIVE_INFINITY), 'argument', /arange/],
    [() => w.arange(Number.NaN), 'argument', /arange/],
    [() => w.arange(0, 2, 0.5, { dtype: 'int32' }), 'argument', /arange/, /0\.5/],
    [() => w.linspace(0, 1, 2.5), 'argument', /linspace/, /2\.5/],
    [() => w.randomInt([2], 3, 3), 'argument', /randomInt/],
    [() => w.randomInt([2], 0.5, 3), 'argument', /randomInt/, /0\.5/],
    [() => w.randomUniform([2], Number.NaN, 1), 'argument', /randomUniform/, /NaN/],
    [() => w.randomNormal([2], 0, -1), 'argument', /randomNormal/, /-1/],
    [() => w.bernoulli([2], 1.5), 'argument', /bernoulli/, /1\.5/],
    [() => w.setSeed(-1), 'argument', /setSeed/, /-1/],
    [() => w.setSeed(0.5), 'argument', /setSeed/],
    [() => tensor([true], { requiresGrad: true }), 'not-differentiable', /bool/],
    [() => w.zeros([2], { dtype: 'int32', requiresGrad: true }), 'not-differentiable', /int32/],
  ],
};

const INDICES: Record<string, readonly Row[]> = {
  choice: [
    [() => w.choice(3, wrong(undefined)), 'argument', /^choice: size is undefined/],
    [() => w.choice(3, wrong('1')), 'argument', /^choice: size is '1'/],
    [() => w.choice(3, 1.5), 'argument', /^choice: size is 1\.5/],
    [() => w.choice(3, [2, -1]), 'shape', /^choice/, /-1/],
    [() => w.choice(wrong('3'), 1), 'argument', /^choice: '3'/],
    [() => w.choice(2 ** 32, 1), 'argument', /^choice: n is 4294967296/],
    [() => w.choice(3, 1, { generator: wrong(7) }), 'argument', /^choice: generator is 7/],
    [() => w.choice(3, 0, { p: [1, 1, 1], generator: wrong(7) }), 'argument', /^choice: generator is 7/],
    [() => w.choice(3, 1, { replace: wrong('no') }), 'argument', /^choice: replace is 'no'/],
    [() => w.choice(m(), 1, { device: wrong('gpu') }), 'argument', /^choice: device is 'gpu'/],
  ],
  indices: [
    [() => w.gather(v3(), [3]), 'index', /gather/, /3/, /-3 to 2/],
    [() => w.gather(v3(), [0, -4]), 'index', /gather/, /-4/, /position 1/],
    [() => w.gather(m(), [3], 1), 'index', /gather/, /-3 to 2/],
    [() => w.gather(m(), 2), 'index', /gather/, /-2 to 1/],
    [() => w.gather(v3(), [0.5]), 'dtype', /gather/, /0\.5/],
    [() => w.gather(v3(), [Number.NaN]), 'dtype', /gather/, /NaN/],
    [() => w.gather(v3(), [2 ** 40]), 'dtype', /gather/, /int32/],
    [() => w.gather(v3(), [wrong(1n)]), 'dtype', /gather/],
    [() => w.gather(v3(), [wrong('1')]), 'dtype', /gather/],
    [() => w.gather(v3(), wrong('1')), 'argument', /gather/, /int32/],
    [() => w.gather(v3(), [[0], [1, 2]]), 'shape', /ragged/],
    [() => w.gather(v3(), v2()), 'dtype', /gather/, /float/],
    [() => w.gather(m(), [0], 2), 'shape', /gather/, /axis 2/],
    [() => w.gather(scalar(), [0]), 'shape', /gather/, /scalar/],
    [() => w.gather(wrong([1]), [0]), 'argument', /gather/],
    [() => w.gather(gone(), [0]), 'disposed', /gather/],
    [() => w.embedding(m(), [2]), 'index', /embedding/, /-2 to 1/],
    [() => w.takeAlongAxis(v3(), [5], 0), 'index', /takeAlongAxis/, /5/],
    [() => w.takeAlongAxis(m(), [0], 0), 'shape', /takeAlongAxis/, /\(2, 3\)/],
    [() => w.gatherNd(m(), [[0, 3]]), 'index', /gatherNd/],
    [() => w.gatherNd(m(), [[0, 0, 0]]), 'shape', /gatherNd/, /\(2, 3\)/],
    [() => w.scatterAdd(v3(), [3], 1), 'index', /scatterAdd/],
    [() => w.scatterAdd(v3(), [0], v2()), 'shape', /scatterAdd/, /\(2,\)/],
    [() => w.indexPut(v3(), [-4], 1), 'index', /indexPut/],
    [() => w.scatterAdd(w.zeros([0, 2]), int(), 1), 'argument', /scatterAdd/, /\(0, 2\)/, /3 indices/],
    [() => w.indexPut(w.zeros([2, 0]), int(), 1, -1), 'argument', /indexPut/, /\(2, 0\)/],
    [() => w.indexPut(w.zeros([0, 2]), [0], 1), 'index', /indexPut/],
    [() => w.oneHot([0], -1), 'argument', /oneHot/, /-1/],
    [() => w.oneHot([0], 2.5), 'argument', /oneHot/, /2\.5/],
    [() => w.bincount([0], -1), 'argument', /bincount/, /-1/],
  ],
  'values out of range, which a GPU tells at the read': [
    [
      () => w.losses.categoricalCrossentropy(m(), m()).data(),
      'value-range',
      /^categoricalCrossentropy: element [1-5] of yPred is [2-6], outside of \[0, 1\]/,
      /softmax/,
      /fromLogits: true/,
    ],
    [() => w.losses.sparseCategoricalCrossentropy([0, 1], m()).data(), 'value-range', /^sparse.* of yPred/],
    [() => w.losses.binaryCrossentropy(m(), m()).data(), 'value-range', /^binary.* of yPred/, /sigmoid/],
    [() => w.losses.klDivergence(m(), m()).data(), 'value-range', /^klDivergence.* of yTrue/],
    [() => w.losses.klDivergence(w.ones([2, 3]), m()).data(), 'value-range', /of yPred/, /softmax\(yPred\)/],
  ],
};

const LIFE: Record<string, readonly Row[]> = {
  'disposed tensors': [
    [() => w.add(gone(), 1), 'disposed', /add/, /\(3,\)/],
    [() => w.sub(1, gone()), 'disposed', /sub/],
    [() => w.mod(v3(), gone()), 'disposed', /mod/],
    [() => w.exp(gone()), 'disposed', /exp/],
    [() => w.isNaN(gone()), 'disposed', /isNaN/],
    [() => w.sum(gone()), 'disposed', /sum/],
    [() => w.norm(gone(), 3), 'disposed', /norm/],
    [() => w.cdist(m(), gone(m())), 'disposed', /cdist/, /\(2, 3\)/],
    [() => w.argMax(gone()), 'disposed', /argMax/],
    [() => w.softmax(gone()), 'disposed', /softmax/],
    [() => w.reshape(gone(), [3, 1]), 'disposed', /reshape/],
    [() => w.broadcastTo(gone(), [2, 3]), 'disposed', /broadcastTo/],
    [() => w.matmul(gone(), v3()), 'disposed', /matmul/],
    [() => w.where(gone(), 1, 0), 'disposed', /where/],
    [() => w.cast(gone(), 'int32'), 'disposed', /cast/],
    [() => w.assign(gone(), v3()), 'disposed', /assign/],
    [() => w.assign(v3(), gone()), 'disposed', /assign/],
    [() => gone().detach(), 'disposed', /detach/],
    [() => gone().data(), 'disposed', /data/],
    [() => gone().item(), 'shape', /item/, /\(3,\)/],
    [() => w.toDevice(gone(), cpuDevice()), 'disposed', /toDevice|data/],
  ],
  'two devices': [
    [(other) => w.choice(m(), 1, { device: other }), 'argument', /^choice: device/],
    [(other) => w.oneHot(int(), 4, { device: other }), 'argument', /^oneHot: device/],
    [(other) => w.bincount(int(), 4, { device: other }), 'argument', /^bincount: device/],
    [(other) => w.add(v3(), elsewhere(other)), 'device-mismatch', /add/],
    [(other) => w.mod(elsewhere(other), v3()), 'device-mismatch', /mod/],
    [(other) => w.less(v3(), elsewhere(other)), 'device-mismatch', /less/],
    [(other) => w.matmul(v3(), elsewhere(other)), 'device-mismatch', /matmul/],
    [(other) => w.where(bool(), v3(), elsewhere(other)), 'device-mismatch', /where/],
    [(other) => w.where(tensor([true], { device: other }), v3(), 0), 'device-mismatch', /where/],
    [(other) => w.assign(v3(), elsewhere(other)), 'device-mismatch', /assign/],
    [(other) => w.pairwiseDistance(v3(), elsewhere(other)), 'device-mismatch', /sub|pairwise/],
    [() => w.toDevice(v3(), wrong(undefined)), 'argument', /toDevice/],
  ],
  'writes and gradients': [
    [() => w.assign(v3(), v2()), 'shape', /assign/, /\(2,\)/, /\(3,\)/],
    [() => w.assign(v3(), int()), 'dtype', /assign/, /int32/],
    [() => w.assign(v3(), new Float32Array(2)), 'shape', /assign/, /2 values/, /\(3,\)/],
    [() => w.assign(int(), Float32Array.of(1, 2.5, 3)), 'dtype', /assign/, /2\.5/],
    [() => w.assign(v3(), wrong([1, 2, 3])), 'argument', /assign/],
    [() => w.assign(leaf(), v3()), 'in-place-on-graph', /noGrad/],
    [() => w.backward(w.mul(leaf(), 2)), 'non-scalar-loss', /\(3,\)/],
    [() => w.backward(v3()), 'no-grad', /backward/],
    [() => w.backward(w.sum(leaf()), { gradient: v3() }), 'shape', /\(3,\)/],
    [() => w.grad([], []), 'argument', /grad/],
    [() => w.grad(w.sum(leaf()), [leaf()]), 'unused-input', /grad/],
    [() => m().item(), 'shape', /item/, /\(2, 3\)/],
    [() => tensor(true).item(), 'dtype', /item: a bool/, /item\('bool'\)/],
    [() => scalar().item('bool'), 'dtype', /item: .* no bool/],
    [() => scalar().item(wrong('int32')), 'argument', /item/, /'int32'/],
    [() => v3().retainGrad(), 'no-grad', /retainGrad/],
    [
      () => {
        int().requiresGrad = true;
      },
      'not-differentiable',
      /int32/,
    ],
    [
      () => {
        leaf().grad = v2();
      },
      'shape',
      /\(2,\)/,
      /\(3,\)/,
    ],
    [() => scope(wrong(async () => {})), 'async-callback', /scope/],
    [() => w.noGrad(wrong(async () => {})), 'async-callback', /noGrad/],
  ],
};

const GROUPS = { ...SHAPES, ...VALUES, ...INDICES, ...LIFE };

/** Calls in a scope and takes what comes of it, thrown or rejected. */
async function outcome(call: Row[0], other: Device): Promise<unknown> {
  let pending: unknown;
  try {
    scope(() => {
      const result = call(other);
      if (result instanceof Promise) pending = result.catch((error: unknown) => error);
    });
    return await pending;
  } catch (error) {
    return error;
  }
}

function complaint(error: unknown, code: string, parts: readonly RegExp[]): string | undefined {
  if (!(error instanceof WgradError)) return `gave ${String(error)}`;
  if (error.code !== code) return `has the code ${error.code}: ${error.message}`;
  const missing = [...parts, ...(PLAIN.test(error.message) ? [] : [HINT])].filter(
    (part) => !part.test(error.message),
  );
  return missing.length > 0 ? `lacks ${missing.join(' and ')}: ${error.message}` : undefined;
}

for (const [name, open, openOther] of [
  ['device under test', testDevice, async () => cpuDevice()],
  ['CPU', async () => cpuDevice(), testDevice],
] as const) {
  const test = suite(`bad calls, ${name}`);
  for (const [group, rows] of Object.entries(GROUPS)) {
    test(`${group}: ${rows.length} calls`, async () => {
      const other = await openOther();
      const device = await open();
      setDefaultDevice(device);
      const complaints: string[] = [];
      for (const [call, code, ...parts] of rows) {
        if (group === 'two devices' && other === device) continue;
        const text = complaint(await outcome(call, other), code, parts);
        if (text) complaints.push(`${String(call)} ${text}`);
      }
      assert.is(complaints.join('\n'), '');
    });
  }

  test('what int32 just holds is taken', async () => {
    setDefaultDevice(await open());
    assert.equal(await resultOf(() => w.sub(int(), -(2 ** 31))), [-2147483647, -2147483646, -2147483645]);
    assert.equal(await resultOf(() => w.sub(int(), 2 ** 31 - 1)), [-2147483646, -2147483645, -2147483644]);
    assert.equal(await resultOf(() => w.sub(2 ** 31 - 1, int())), [2147483646, 2147483645, 2147483644]);
    assert.equal(await resultOf(() => w.choice(2 ** 31, 0)), []);
  });
}

suite('bad calls')('there are many', () => {
  const count = Object.values(GROUPS).reduce((sum, rows) => sum + rows.length, 0);
  assert.ok(count >= 110, `only ${count}`);
});
