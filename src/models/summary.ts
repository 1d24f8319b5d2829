/** The table of a model's layers. */
import type { Tensor } from '../autograd/tensor.ts';
import { checkFlags, checkNumber } from '../core/check.ts';
import { byteLength } from '../core/dtype.ts';
import { WgradError } from '../core/errors.ts';
import type { Shape } from '../core/shape.ts';
import type { Graph } from '../nn/graph.ts';
import { inferShapes } from '../nn/infer-shapes.ts';
import type { Layer } from '../nn/layer.ts';
import { observeLayers } from '../nn/layer-observer.ts';
import type { Parameter } from '../nn/parameter.ts';
import { inCommon, type PartialShape } from '../nn/partial-shape.ts';
import type { SymbolicNode, SymbolicTensor } from '../nn/symbolic.ts';
import { checkOptions } from '../ops/options.ts';
import type { Model } from './model.ts';
import { drawTable, type TableColumn } from './summary-table.ts';

export interface SummaryOptions {
  /** Columns of text, at least 40. Default: 88, or 108 where layers branch. */
  width?: number;
  /** Also list the layers inside of layers. Default: false. */
  expandNested?: boolean;
}

const COLUMNS: readonly TableColumn[] = [
  { title: 'Layer (type)', end: 0.45, frame: 3 },
  { title: 'Output Shape', end: 0.8, frame: 4 },
  { title: 'Param #', end: 1, frame: 3, right: true },
];

const BRANCHING_COLUMNS: readonly TableColumn[] = [
  { title: 'Layer (type)', end: 0.3, frame: 3 },
  { title: 'Output Shape', end: 0.56, frame: 3 },
  { title: 'Param #', end: 0.74, frame: 4, right: true },
  { title: 'Connected to', end: 1, frame: 3 },
];

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

/** 61706 → 61,706 */
const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

function readableBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${(bytes / 1024 ** power).toFixed(2)} ${UNITS[power]}`;
}

function total(weights: readonly Parameter[]): string {
  const count = weights.reduce((sum, { value }) => sum + value.size, 0);
  const bytes = weights.reduce((sum, { value }) => sum + byteLength(value.dtype, value.size), 0);
  return `${grouped(count)} (${readableBytes(bytes)})`;
}

const formatShape = (shape: PartialShape): string =>
  `(${shape.map((extent) => extent ?? 'None').join(', ')})`;

const formatShapes = (shapes: readonly PartialShape[]): string =>
  shapes.length === 1 ? formatShape(shapes[0] as PartialShape) : `[${shapes.map(formatShape).join(', ')}]`;

/** What came out of each layer the last time that it ran; empty where that cannot be worked out. */
function outputShapes(model: Model): Map<Layer, readonly PartialShape[]> {
  const specs = model.inputSpecs;
  if (!model.built || !specs) return new Map();
  // One map for each extent that is tried in the place of an unknown one.
  const runs: Map<Layer, readonly Shape[]>[] = [];
  const leave = (layer: Layer, _inputs: readonly Tensor[], outputs: readonly Tensor[]): void => {
    runs.at(-1)?.set(
      layer,
      outputs.map(({ shape }) => shape),
    );
  };
  const stop = observeLayers({ leave });
  try {
    inferShapes(specs, (inputs) => {
      runs.push(new Map());
      return model.applyAll(inputs);
    });
  } catch (error) {
    // A `call` that reads values cannot run without any.
    if (!(error instanceof WgradError && error.code === 'shapes-only')) throw error;
    return new Map();
  } finally {
    stop();
  }
  const [first = new Map<Layer, readonly Shape[]>(), second] = runs;
  return new Map(
    [...first].map(([layer, shapes]) => [
      layer,
      shapes.map((shape, index) => inCommon(shape, second?.get(layer)?.[index] ?? [])),
    ]),
  );
}

/** Whether each layer follows the one before, and none comes twice. */
function isChain({ inputs, nodes, layers }: Graph): boolean {
  let last = inputs[0];
  for (const { inputs: from, outputs } of nodes) {
    if (from.length !== 1 || from[0] !== last) return false;
    last = outputs[0];
  }
  return inputs.length === 1 && layers.length === nodes.length;
}

/** What the layer is called on: `dense[0][0]` is the first output of the first call of `dense`. */
function connections({ inputs, nodes }: Graph, inputNames: readonly string[], layer: Layer): string {
  const nameOf = (tensor: SymbolicTensor): string => {
    const input = inputs.indexOf(tensor);
    if (input >= 0) return `${inputNames[input]}[0][0]`;
    const calls = nodes.filter((node) => node.layer === tensor.node?.layer);
    return `${tensor.node?.layer.name}[${calls.indexOf(tensor.node as SymbolicNode)}][${tensor.output}]`;
  };
  const own = nodes.filter((node) => node.layer === layer);
  return own.flatMap((node) => node.inputs.map(nameOf)).join(', ');
}

const typeOf = ({ type }: Layer): string => type.charAt(0).toUpperCase() + type.slice(1);

export function summaryOf(model: Model, options: SummaryOptions): string {
  checkOptions('summary', options, ['width', 'expandNested'], '');
  const { graph } = model;
  const branching = graph !== null && !isChain(graph);
  const { width = branching ? 108 : 88, expandNested = false } = options;
  checkNumber('summary', 'width', width, { atLeast: 40, whole: true });
  checkFlags('summary', { expandNested });

  const shapes = outputShapes(model);
  const rows: string[][] = [];
  const inputNames = model.signature().inputs.map(({ name }) => name);
  for (const [index, { shape }] of graph?.inputs.entries() ?? [])
    rows.push([`${inputNames[index]} (InputLayer)`, formatShape(shape), '0', '-']);
  const list = (layers: readonly Layer[], depth: number): void => {
    for (const layer of new Set(layers)) {
      const prefix = depth === 0 ? '' : `${'   '.repeat(depth)}└ `;
      const found = shapes.get(layer);
      rows.push([
        `${prefix}${layer.name} (${typeOf(layer)})`,
        found ? formatShapes(found) : '?',
        layer.built ? grouped(layer.countParams()) : '0 (unbuilt)',
        graph && depth === 0 ? connections(graph, inputNames, layer) : '-',
      ]);
      if (expandNested)
        list(
          layer.sublayers().map(([, inner]) => inner),
          depth + 1,
        );
    }
  };
  list(
    model.sublayers().map(([, layer]) => layer),
    0,
  );
  const columns = branching ? BRANCHING_COLUMNS : COLUMNS;
  return [
    `Model: "${model.name}"`,
    ...drawTable(
      columns,
      rows.map((cells) => cells.slice(0, columns.length)),
      width,
    ),
    ` Total params: ${total(model.weights)}`,
    ` Trainable params: ${total(model.trainableWeights)}`,
    ` Non-trainable params: ${total(model.nonTrainableWeights)}`,
  ].join('\n');
}
