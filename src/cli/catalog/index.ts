/** Every public op with the cases on which its gradient is checked; `docs/ops.md` is made from it. */
import { activationEntries } from './activation.ts';
import { binaryEntries } from './binary.ts';
import { contractionEntries } from './contraction.ts';
import { convEntries } from './conv.ts';
import { indexingEntries } from './indexing.ts';
import { linalgEntries } from './linalg.ts';
import { lossEntries } from './loss.ts';
import { matmulEntries } from './matmul.ts';
import { normalizationEntries } from './normalization.ts';
import { poolEntries } from './pool.ts';
import { recurrentEntries } from './recurrent.ts';
import { reduceEntries } from './reduce.ts';
import { regularizationEntries } from './regularization.ts';
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
  ...convEntries,
  ...indexingEntries,
  ...sortEntries,
  ...scanEntries,
  ...linalgEntries,
  ...poolEntries,
  ...recurrentEntries,
  ...normalizationEntries,
  ...lossEntries,
  ...activationEntries,
  ...regularizationEntries,
];

/** Exported functions that are no ops. A new export must stand here or in the catalogue. */
const NOT_OPS: ReadonlySet<string> = new Set([
  'apply',
  'applyAll',
  'attachMethods',
  'backward',
  'compareDevices',
  'defaultDevice',
  'detectAnomaly',
  'enableGrad',
  'floatBits',
  'formatIdx',
  'formatNpy',
  'getActivation',
  'getMask',
  'grad',
  'gradcheck',
  'gradcheckModel',
  'gradgradcheck',
  'grid',
  'init',
  'input',
  'isGradEnabled',
  'keep',
  'loadCheckpoint',
  'loadModel',
  'loadSafetensors',
  'loadWeights',
  'model',
  'modelFromJson',
  'noGrad',
  'parseIdx',
  'parseNpy',
  'pipelineSpec',
  'readModel',
  'readNpy',
  'readNpz',
  'readSafetensors',
  'readSafetensorsHeader',
  'readWeights',
  'resetStates',
  'runKernel',
  'runKernel1',
  'saveModel',
  'saveSafetensors',
  'saveWeights',
  'scope',
  'sequential',
  'setDefaultDevice',
  'setMask',
  'setSeed',
  'truncatedSteps',
  'valueAndGrad',
  'wgslModule',
  'writeFileAtomic',
  'writeModel',
  'writeNpy',
  'writeNpz',
  'writeSafetensors',
  'writeWeights',
]);

/** Exported namespaces without ops. */
const NO_OPS_IN: ReadonlySet<string> = new Set([
  'applications',
  'callbacks',
  'constraints',
  'data',
  'initializers',
  'layers',
  'metrics',
  'optimizers',
  'regularizers',
  'schedules',
]);

/** The names of exported functions, those in a namespace as `losses.huber`; classes have a capital and do not count. */
export const exportedOps = (exported: object): string[] =>
  Object.entries(exported).flatMap(([name, value]) => {
    if (/^[A-Z]/.test(name)) return [];
    if (typeof value === 'function') return [name];
    const isNamespace =
      typeof value === 'object' && value?.[Symbol.toStringTag] === 'Module' && !NO_OPS_IN.has(name);
    return isNamespace ? exportedOps(value).map((member) => `${name}.${member}`) : [];
  });

/** The exported functions that the catalogue lacks. */
export function catalogGaps(exported: object): string[] {
  const known = new Set(catalog.map(({ op }) => op));
  return exportedOps(exported)
    .filter((name) => !known.has(name) && !NOT_OPS.has(name))
    .sort();
}
