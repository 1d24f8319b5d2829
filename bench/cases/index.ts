/** All microbenchmarks, one file per kernel family. */
import type { BenchCase } from './case.ts';
import { elementwiseCases } from './elementwise.ts';
import { layerCases } from './layers.ts';
import { layoutCases } from './layout.ts';
import { linalgCases } from './linalg.ts';
import { matmulCases } from './matmul.ts';
import { orderCases } from './order.ts';
import { randomCases } from './random.ts';
import { recurrentCases } from './recurrent.ts';
import { reduceCases } from './reduce.ts';

export const cases: readonly BenchCase[] = [
  ...matmulCases,
  ...reduceCases,
  ...elementwiseCases,
  ...layoutCases,
  ...orderCases,
  ...linalgCases,
  ...layerCases,
  ...recurrentCases,
  ...randomCases,
];
