/** Every public op with the cases on which its gradient is checked; `docs/ops.md` is made from it. */
import { binaryEntries } from './binary.ts';
import { contractionEntries } from './contraction.ts';
import { indexingEntries } from './indexing.ts';
import { linalgEntries } from './linalg.ts';
import { matmulEntries } from './matmul.ts';
import { reduceEntries } from './reduce.ts';
import { scanEntries } from './scan.ts';
import { shapeEntries } from './shape.ts';
import { sortEntries } from './sort.ts';
import { structureEntries } from './structure.ts';
import type { CatalogEntry } from './types.ts';
import { unaryEntries } from './unary.ts';

export const catalog: readonly CatalogEntry[] = [
  ...unaryEntries,
  ...binaryEntries,
  ...reduceEntries,
  ...matmulEntries,
  ...shapeEntries,
  ...structureEntries,
  ...contractionEntries,
  ...indexingEntries,
  ...sortEntries,
  ...scanEntries,
  ...linalgEntries,
];

/** Exported functions that are no ops. A new export must stand here or in the catalogue. */
const NOT_OPS: ReadonlySet<string> = new Set([
  'apply',
  'applyAll',
  'attachMethods',
  'backward',
  'defaultDevice',
  'detectAnomaly',
  'enableGrad',
  'floatBits',
  'formatNpy',
  'grad',
  'gradcheck',
  'gradgradcheck',
  'grid',
  'init',
  'isGradEnabled',
  'keep',
  'noGrad',
  'parseNpy',
  'pipelineSpec',
  'readNpy',
  'readNpz',
  'runKernel',
  'runKernel1',
  'scope',
  'setDefaultDevice',
  'setSeed',
  'valueAndGrad',
  'wgslModule',
  'writeNpy',
  'writeNpz',
]);

/** The exported functions that the catalogue lacks; classes have a capital and do not count. */
export function catalogGaps(exported: object): string[] {
  const known = new Set(catalog.map(({ op }) => op));
  return Object.entries(exported)
    .filter(([name, value]) => typeof value === 'function' && !/^[A-Z]/.test(name))
    .map(([name]) => name)
    .filter((name) => !known.has(name) && !NOT_OPS.has(name))
    .sort();
}
