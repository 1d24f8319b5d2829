/** What joins, cuts, pads, repeats and contracts tensors. */
export { diag, diagonal, trace, tril, triu } from './diagonal.ts';
export { einsum, outer, type TensordotAxes, tensordot } from './einsum.ts';
export { concat, roll, split, stack, unstack } from './join.ts';
export { type Paddings, type PadMode, type PadOptions, pad } from './pad.ts';
export { meshgrid, repeat, tile } from './repeat.ts';
export { flip, type SliceList, type SliceRange, slice } from './slice.ts';
