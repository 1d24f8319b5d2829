/** Writing by index: sums of updates in a fixed order, last writes, and counts. */
import { isFloat } from '../src/core/dtype.ts';
import { ArgumentError, DTypeError, ShapeError } from '../src/core/errors.ts';
import { formatShape, sameShape, sizeOf } from '../src/core/shape.ts';
import source from '../wgsl/scatter-add.wgsl';
import {
  checkIndices,
  dividerWords,
  findOffence,
  forEachPick,
  type IndexAttrs,
  NO_WRAP,
  picksOf,
  writeIndexedAxes,
} from './indexing.ts';
import {
  type Access,
  grid,
  type Kernel,
  pipelineSpec,
  type Slot,
  type Step,
  type TensorSpec,
  wgslModule,
} from './kernel.ts';

export interface ScatterAttrs extends IndexAttrs {
  /** Add the updates, or let the last one replace what is there. */
  readonly op: 'add' | 'set';
}

const module = wgslModule('scatter-add', source);
const WORDS = 32;
/** The uniform word of the op's number in the error record. */
const OP = 2;
const LANES = 64;
const DIGIT_BITS = 4;
const RADIX = 1 << DIGIT_BITS;

const own = (entry: string, access: readonly Access[], constants: Record<string, number> = {}) =>
  pipelineSpec(module, entry, access, WORDS, constants);
const R = 'read';
const W = 'write';
const markRows = [0, 1].map((ALONG) => own('markRows', [R, W, W], { ALONG }));
const countDigits = own('countDigits', [R, W]);
const scanDigits = own('scanDigits', [W]);
const placeDigits = own('placeDigits', [R, R, R, W, W]);
const findStarts = own('findStarts', [R, W]);
const clearTallies = own('clearTallies', [W]);
const tally = own('tally', [R, W, W]);
/** [adds ints, adds floats, sets] */
const closing = (entry: string, access: readonly Access[]) =>
  [
    { FLOAT: 0, SET: 0 },
    { FLOAT: 1, SET: 0 },
    { FLOAT: 0, SET: 1 },
  ].map((constants) => own(entry, access, constants));
const addScanned = closing('addScanned', [R, R, R, W]);
const addSorted = closing('addSorted', [R, R, R, R, W]);
const addSorted4 = closing('addSorted4', [R, R, R, R, W]);

/**
 * Whether looking at every update for every element is cheaper than to sort first. A look costs software a load, about
 * 1/2 ns on lavapipe; on hardware (judged, not measured) it is nearly free beside the sort's dozen dispatches, unless
 * one invocation has too many.
 */
const prefersScan = (elements: number, m: number, software: boolean): boolean =>
  m <= 2 || (m <= 1024 && elements * m <= (software ? 2 ** 16 : 2 ** 22));

/** Neighbours that share their index: `along` sees a flat x, where every index is an update of one element. */
const innerOf = (x: TensorSpec, indices: TensorSpec, attrs: ScatterAttrs): number =>
  attrs.mode === 'along' ? 1 : picksOf('scatter', x, indices, attrs).inner;

/** Updates that one invocation counts and places: about half the root of their number, a power of two. */
const chunkOf = (m: number): number => Math.min(1024, 2 ** Math.max(4, Math.floor(Math.log2(m) / 2) - 1));

/**
 * `out = x; out[o, index(j), i] += updates[o, j, i]` for j in ascending order; inputs x, indices, updates.
 *
 * Every element of the result has one owner, which adds its n updates in order, in blocks of 32 and of 1024: the bits are
 * always the same, in all variants, and the error is at most 66 + n / 1024 roundings of |x| + Σ|updates|.
 * Cost: `scan` reads all m rows for each of the N elements of the result, N·m reads. `sort` orders the m updates by row
 * in ⌈log₂(rows + 1) / 4⌉ passes of three dispatches, each with about 6 reads and writes per update, finds where each row
 * starts, and then reads x and every update once; `quad` is `sort` with four neighbours to an invocation. A row that
 * gets all updates is summed by one invocation per column (or per four).
 */
export const scatterKernel: Kernel<ScatterAttrs> = {
  name: 'scatter',
  variants: ['sort', 'scan', 'quad'],

  supports: (variant, [x, indices], attrs) =>
    variant !== 'quad' || (!!x && !!indices && innerOf(x, indices, attrs) % 4 === 0),

  infer(op, [x, indices, updates], attrs) {
    if (!x || !indices || !updates) throw new ArgumentError(`${op}: a tensor, indices and updates expected.`);
    const { shape } = picksOf(op, x, indices, attrs);
    if (updates.dtype !== x.dtype) {
      throw new DTypeError(`${op}: x is ${x.dtype}, the updates are ${updates.dtype}; cast one of them.`);
    }
    if (attrs.op === 'add' && x.dtype === 'bool')
      throw new DTypeError(`${op} does not add bools; cast to int32 first.`);
    if (!sameShape(updates.shape, shape)) {
      throw new ShapeError(
        `${op}: indices of shape ${formatShape(indices.shape)} into ${formatShape(x.shape)} take updates of shape ` +
          `${formatShape(shape)}, got ${formatShape(updates.shape)}.`,
      );
    }
    return [{ shape: x.shape, dtype: x.dtype }];
  },

  plan([x, indices], [out], attrs, traits, variant) {
    if (!x || !indices || !out) return { steps: [] };
    const picks = picksOf('scatter', x, indices, attrs);
    const along = attrs.mode === 'along';
    const rows = along ? sizeOf(x.shape) : picks.rows;
    const inner = innerOf(x, indices, attrs);
    const m = along ? sizeOf(indices.shape) : picks.m;
    const count = sizeOf(out.shape);
    const scans = variant ? variant === 'scan' : prefersScan(count, m, traits.software);
    const quad = variant ? variant === 'quad' : inner % 4 === 0;
    const code = attrs.op === 'set' ? 2 : isFloat(out.dtype) ? 1 : 0;
    const chunk = chunkOf(Math.max(1, m));
    const chunks = Math.ceil(m / chunk);

    const step = (
      pipeline: Step['pipeline'] | undefined,
      buffers: readonly Slot[],
      invocations: number,
      fill: (uniforms: Uint32Array) => void = () => {},
      groups = Math.ceil(invocations / LANES),
    ): Step => {
      const uniforms = new Uint32Array(WORDS);
      uniforms.set([invocations, picks.extents.length, 0, rows]);
      uniforms.set(dividerWords(inner), 4);
      uniforms.set(dividerWords(rows), 8);
      uniforms.set([m, chunk, chunks], 12);
      fill(uniforms);
      return { pipeline: pipeline as Step['pipeline'], buffers, uniforms, workgroups: grid(groups) };
    };

    const steps: Step[] = [];
    if (m > 0) {
      const mark = step(markRows[along ? 1 : 0], ['in1', 'err', 'tmp0'], m, (uniforms) => {
        uniforms.set(dividerWords(picks.inner), 4);
        uniforms.set(dividerWords(picks.m), 8);
        writeIndexedAxes(uniforms, 16, picks);
      });
      steps.push(attrs.checked ? mark : { ...mark, errorWord: OP });
    }
    const words = 4 * Math.max(1, m);
    if (scans) {
      steps.push(step(addScanned[code], ['in0', 'in2', 'tmp0', 'out0'], count));
      return { steps, scratch: [words] };
    }
    // tmp0 and tmp1 hold the rows before and after a pass, tmp2 and tmp3 the order; tmp4 digits, tmp5 starts.
    let [from, to]: [Slot, Slot] = ['tmp0', 'tmp1'];
    let [orderFrom, orderTo]: [Slot, Slot] = ['tmp2', 'tmp3'];
    if (m > 0) {
      for (let shift = 0; shift === 0 || rows >> shift > 0; shift += DIGIT_BITS) {
        const digit = (uniforms: Uint32Array): void => void (uniforms[15] = shift);
        steps.push(step(countDigits, [from, 'tmp4'], chunks, digit));
        steps.push(step(scanDigits, ['tmp4'], RADIX * chunks, () => {}, 1));
        steps.push(step(placeDigits, [from, orderFrom, 'tmp4', to, orderTo], chunks, digit));
        [from, to] = [to, from];
        [orderFrom, orderTo] = [orderTo, orderFrom];
      }
    }
    steps.push(step(findStarts, [from, 'tmp5'], rows + 1));
    const sorted: Slot[] = ['in0', 'in2', orderFrom, 'tmp5', 'out0'];
    if (quad) {
      const narrow = (uniforms: Uint32Array): void => uniforms.set(dividerWords(inner / 4), 4);
      steps.push(step(addSorted4[code], sorted, count / 4, narrow));
    } else {
      steps.push(step(addSorted[code], sorted, count));
    }
    return {
      steps,
      scratch: [words, words, words, words, 4 * RADIX * Math.max(1, chunks), 4 * (rows + 1)],
    };
  },

  offence([x, indices], attrs) {
    if (!x || !indices || attrs.checked || sizeOf(x.shape) === 0) return undefined;
    return findOffence(indices, picksOf('scatter', x, indices, attrs).extents, true);
  },

  reference([x, indices, updates], [out], attrs) {
    if (!x || !indices || !updates || !out) return;
    const int = out.dtype === 'int32';
    out.data.set(x.data);
    forEachPick(indices, picksOf('scatter', x, indices, attrs), attrs.mode, (picked, place) => {
      if (place < 0) return;
      const update = updates.data[picked] as number;
      const sum = (out.data[place] as number) + update;
      out.data[place] = attrs.op === 'set' ? update : int ? sum | 0 : sum;
    });
  },
};

/** `out[k]` = how many indices are k; negative ones are out of range. */
export interface BincountAttrs {
  readonly size: number;
  readonly checked?: boolean;
}

export const bincountKernel: Kernel<BincountAttrs> = {
  name: 'bincount',
  variants: ['default'],

  infer(op, [indices], { size }) {
    checkIndices(op, indices);
    if (!Number.isInteger(size) || size < 0)
      throw new ArgumentError(`${op}: size ${size}; the size is a whole number ≥ 0.`);
    return [{ shape: [size], dtype: 'int32' }];
  },

  plan([indices], _outputs, { size, checked }) {
    if (!indices) return { steps: [] };
    const m = sizeOf(indices.shape);
    const clear = Uint32Array.of(size, ...new Array<number>(WORDS - 1).fill(0));
    const steps: Step[] = [
      {
        pipeline: clearTallies,
        buffers: ['out0'],
        uniforms: clear,
        workgroups: grid(Math.ceil(size / LANES)),
      },
    ];
    if (m > 0) {
      const uniforms = new Uint32Array(WORDS);
      uniforms.set([m, 1, 0, size]);
      uniforms.set([size | NO_WRAP], 16);
      uniforms.set([1], 24);
      const count: Step = {
        pipeline: tally,
        buffers: ['in0', 'err', 'out0'],
        uniforms,
        workgroups: grid(Math.ceil(m / LANES)),
      };
      steps.push(checked ? count : { ...count, errorWord: OP });
    }
    return { steps };
  },

  offence([indices], { size, checked }) {
    return !indices || checked || size === 0 ? undefined : findOffence(indices, [size], false);
  },

  reference([indices], [out], { size }) {
    if (!indices || !out) return;
    out.data.fill(0);
    for (const value of indices.data) {
      if (value >= 0 && value < size) out.data[value] = (out.data[value] as number) + 1;
    }
  },
};
