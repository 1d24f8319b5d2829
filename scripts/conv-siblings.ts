/**
 * Writes the siblings of wgsl/conv.wgsl and wgsl/conv-filter.wgsl for subgroups of 4 and of 8 invocations: register tiles,
 * unrolled in the text, after the declarations and helpers of the file they stand beside.
 *
 *   node --import ./scripts/register.mjs scripts/conv-siblings.ts [--check]
 *
 * With `--check` it writes nothing and exits with 1 if a file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { depthwiseText, depthwiseWork } from './conv-depthwise.ts';
import { narrowQuadsText, narrowQuadsWork, narrowText, narrowWork } from './conv-narrow.ts';

interface Shape {
  readonly lanes: number;
  /** Channels that every lane owns, one entry point for each number. */
  readonly rows: readonly number[];
  /** Vectors of four places, or of four rows of the filter gradient, that one lane owns. */
  readonly quads: number;
  readonly filterQuads: number;
  /** Lanes trade by quadSwap, one machine instruction where a broadcast is seven. */
  readonly quadSwaps: boolean;
  /** Four turns of the innermost loop are taken at once in convolution. */
  readonly fours: boolean;
}

const SHAPES: readonly Shape[] = [
  { lanes: 4, rows: [8, 16], quads: 2, filterQuads: 2, quadSwaps: true, fours: true },
  { lanes: 8, rows: [8, 16], quads: 2, filterQuads: 1, quadSwaps: false, fours: false },
];

const folder = new URL('../wgsl/', import.meta.url);
const XYZW = ['x', 'y', 'z', 'w'] as const;
const SWAPS = ['', 'quadSwapX', 'quadSwapY', 'quadSwapDiagonal'] as const;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = (count: number, line: (i: number) => string): string => range(count).map(line).join('\n');

/** A block of text, moved to the right. */
const indent = (by: string, text: string): string => text.replace(/^(?=.)/gm, by);

/** The declarations and helpers of a file, and the list of bindings in its header. */
function sharedText(name: string): { shared: string; bindings: string } {
  const text = readFileSync(new URL(name, folder), 'utf8');
  return {
    shared: text.slice(text.indexOf('struct Params'), text.indexOf('// From here on')),
    bindings: text.slice(
      text.indexOf('//   binding 1'),
      text.indexOf('//\n', text.indexOf('//   binding 1')),
    ),
  };
}

/** What row `row` of the tile reads from the lane that loaded it. */
function traded({ lanes, quadSwaps }: Shape, value: string, row: number): string {
  const lane = row % lanes;
  if (!quadSwaps) return `subgroupBroadcast(${value}, ${lane}u)`;
  return lane === 0 ? value : `${SWAPS[lane]}(${value})`;
}

/** One turn of the innermost loop: what the lanes load and trade of one operand times the vectors of the other one. */
function products(shape: Shape, rows: number, load: (group: number) => string): string {
  return [
    ...range(rows / shape.lanes).map((g) => `let own${g} = ${load(g)};`),
    ...range(rows).flatMap((row) => [
      `let left${row} = vec4f(${traded(shape, `own${Math.floor(row / shape.lanes)}`, row)});`,
      ...range(shape.quads).map((q) => `sum${row}_${q} = fma(left${row}, right${q}, sum${row}_${q});`),
    ]),
  ].join('\n');
}

/** The number of sum `row`'s channel in the tile of lane `lane`. */
const rowOf = ({ quadSwaps }: Shape): string => (quadSwaps ? '(row & ~3u) + (lane ^ (row & 3u))' : 'row');

const sumsOf = ({ quads }: Shape, rows: number): string => `  var sums = array<vec4f, ${rows * quads}>(
${lines(
  rows,
  (r) =>
    `    ${range(quads)
      .map((q) => `sum${r}_${q},`)
      .join(' ')}`,
)}
  );`;

/** The sum, in a loop for each axis of the kernel and one for the channels. */
const nestedLoops = (shape: Shape, rows: number): string => `  let line = vec4u(params.source.z);
  let depth = params.depth;
  let stepW = params.wDepth;
  for (var tz = 0u; tz < params.kernel.x; tz++) {
    let reachZ = reachOf(0u, phase, tz);
    if (!reachZ.meets) { continue; }
    for (var ty = 0u; ty < params.kernel.y; ty++) {
      let reachY = reachOf(1u, phase, ty);
      if (!reachY.meets) { continue; }
      for (var tx = 0u; tx < params.kernel.z; tx++) {
        let reachX = reachOf(2u, phase, tx);
        if (!reachX.meets) { continue; }
        let along = u32(reachX.by) * params.pixel + base;
        let shift = u32(reachZ.by * i32(params.source.y) + reachY.by) * params.source.z + along;
${lines(shape.quads, (q) =>
  [
    `        let valid${q} = (vec4u(z${q} + reachZ.by) < vec4u(params.source.x)) & (vec4u(y${q} + reachY.by) < vec4u(params.source.y));`,
    `        var at${q} = origin${q} + shift;`,
    `        var in${q} = select(vec4u(NOWHERE), x${q} + along, valid${q});`,
  ].join('\n'),
)}
        var pw = ((tz * params.kernel.y + ty) * params.kernel.z + tx) * params.wTap + baseW;
        for (var k = 0u; k < depth; k++) {
${lines(shape.quads, (q) => `          let right${q} = select(vec4f(), vec4f(${XYZW.map((e) => `x[at${q}.${e}]`).join(', ')}), in${q} < line);`)}
${indent(
  '          ',
  products(shape, rows, (g) => `w[pw + rowAt${g}]`),
)}
${lines(shape.quads, (q) => `          at${q} += vec4u(1u);\n          in${q} += vec4u(1u);`)}
          pw += stepW;
        }
      }
    }
  }`;

/** The sum, in one loop, each turn of which takes four channels of one tap: all that lives through a loop is dear to some drivers. */
function foldedLoop(shape: Shape, rows: number): string {
  const { lanes, quads } = shape;
  const four = (at: (k: number) => string): string => `vec4f(${range(4).map(at).join(', ')})`;
  const column = (q: number, e: string): string =>
    `      select(vec4f(), ${four((k) => `x[at${q}.${e} + ${k}u]`)}, vec4u(in${q}.${e}) + STEPS < line),`;
  return `  let source = params.source;
  let line = vec4u(source.z);
  let pixel = params.pixel;
  let kernel = params.kernel;
  let depth = params.depth;
  let wTap = params.wTap;
  let stepW = params.wDepth;
  let tapStride = params.tapStride;
  let reachStep = params.reachStep;
  let taps = tapsOf(phase);
  let turns = vec4u(taps.count, (depth + 3u) / 4u);
  let blocks = turns.x * turns.y * turns.z * turns.w;
  var turn = vec4u();
  for (var block = 0u; block < blocks; block++) {
    let k = turn.w * 4u;
    let tap = taps.first + turn.xyz * tapStride;
    let reach = taps.reach + vec3i(turn.xyz) * reachStep;
    let along = u32(reach.z) * pixel + base + k;
    let shift = u32(reach.x * i32(source.y) + reach.y) * source.z + along;
${lines(quads, (q) =>
  [
    `    let valid${q} = (vec4u(z${q} + reach.x) < vec4u(source.x)) & (vec4u(y${q} + reach.y) < vec4u(source.y));`,
    `    let at${q} = origin${q} + shift;`,
    `    let in${q} = select(vec4u(NOWHERE), x${q} + along, valid${q});`,
  ].join('\n'),
)}
    let there = vec4u(k) + STEPS < vec4u(depth);
    let pw0 = ((tap.x * kernel.y + tap.y) * kernel.z + tap.z) * wTap + k * stepW + baseW;
${lines(3, (k) => `    let pw${k + 1} = pw${k} + stepW;`)}
${lines(rows / lanes, (g) => `    let own${g} = select(vec4f(), ${four((k) => `w[pw${k} + rowAt${g}]`)}, there);`)}
${lines(quads, (q) => `    let right${q} = mat4x4f(\n${XYZW.map((e) => column(q, e)).join('\n')}\n    );`)}
${lines(rows, (r) =>
  [
    `    let left${r} = ${traded(shape, `own${Math.floor(r / lanes)}`, r)};`,
    ...range(quads).map((q) => `    sum${r}_${q} += left${r} * right${q};`),
  ].join('\n'),
)}
    turn = nextTurn(turn, turns);
  }`;
}

const NEXT_TURN = `// One loop instead of four: some drivers go once more through the body of every loop than it has turns.
fn nextTurn(now: vec4u, turns: vec4u) -> vec4u {
  let k = now.w + 1u;
  let x = now.z + u32(k == turns.w);
  let y = now.y + u32(x == turns.z);
  let z = now.x + u32(y == turns.y);
  return vec4u(
    z,
    select(y, 0u, y == turns.y),
    select(x, 0u, x == turns.z),
    select(k, 0u, k == turns.w),
  );
}
`;

const foldedHelpers = `const STEPS = vec4u(0u, 1u, 2u, 3u);

fn hasNan(v: vec4f) -> bool {
  return any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn reluIf(v: vec4f, relu: vec4<bool>) -> vec4f {
  return select(v, vec4f(), (v < vec4f()) & relu);
}

// The taps that meet a phase, along each axis.
struct Taps {
  count: vec3u,
  first: vec3u,
  reach: vec3i, // of the first one
}

fn tapsOf(phase: vec3u) -> Taps {
  let phases = vec3i(params.phases);
  let stride = params.tapStride;
  let start = vec3i(phase) + params.offset;
  var first = params.kernel;
  for (var t = max(stride.x, max(stride.y, stride.z)); t > 0u; t--) {
    let ahead = start + i32(t - 1u) * params.tapStep;
    first = select(first, vec3u(t - 1u), ahead / phases * phases == ahead);
  }
  first = min(first, params.kernel);
  return Taps((params.kernel - first + stride - 1u) / stride, first, (start + vec3i(first) * params.tapStep) / phases);
}

${NEXT_TURN}
`;

/** Four values of the places in a vector of them. */
const quadOf = (q: number, of: (place: string) => string, type: string): string =>
  `${type}(${range(4)
    .map((e) => of(`place${4 * q + e}`))
    .join(', ')})`;

/** The way out in a loop, which keeps drivers that compile slowly from unrolling it. */
function loopedWayOut(shape: Shape, rows: number): string {
  const { lanes, quads } = shape;
  return `${sumsOf(shape, rows)}
  var outs = array<vec4u, ${quads}>(${range(quads)
    .map((q) => quadOf(q, (p) => `${p}.out`, 'vec4u'))
    .join(', ')});
  var inside = array<vec4<bool>, ${quads}>(${range(quads)
    .map((q) => quadOf(q, (p) => `${p}.inside`, 'vec4<bool>'))
    .join(', ')});
  // Channels that are not there do not count; this also keeps drivers from unrolling the loops.
  let rows = min(params.perGroup - column, ${rows}u);
  let all = rows * ${quads}u;
  let firstChannel = tile.group * params.perGroup + column;
  var odd = params.activation > 1u;
  for (var i = 0u; i < all; i++) {
    let channel = firstChannel + i / ${quads}u;
    var v = sums[i] + vec4f(select(0.0, bias[channel * params.hasBias], params.hasBias != 0u));
    v = select(v, vec4f(), (v < vec4f()) & vec4<bool>(params.activation == 1u));
    odd |= any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
    let at = outs[i % ${quads}u] * params.channels + vec4u(channel);
    let there = inside[i % ${quads}u];
${XYZW.map((e) => `    if (there.${e}) { out[at.${e}] = v.${e}; }`).join('\n')}
  }
  for (var i = select(all, 0u, odd); i < all; i++) {
    let row = i / ${quads}u;
    let columnAt = baseW + (column + row) * params.wChannel;
    for (var e = 0u; e < 4u; e++) {
      let place = placeOf(firstPlace + (i % ${quads}u * 4u + e) * ${lanes}u, phase);
      finishPlace(place, phase, base, columnAt, true, firstChannel + row, sums[i][e]);
    }
  }`;
}

/** The way out unrolled, for drivers that are slow with arrays. Channels that are not there store the last one once more. */
function straightWayOut(shape: Shape, rows: number): string {
  const { lanes, quads } = shape;
  const store = (
    r: number,
  ): string => `  let channel${r} = firstChannel + min(${r & ~3}u + (lane ^ ${r & 3}u), last);
  let bias${r} = vec4f(${traded(shape, `biasOf${Math.floor(r / lanes)}`, r)});
${lines(
  quads,
  (q) => `  {
    let v = reluIf(sum${r}_${q} + bias${r}, relu);
    odd |= hasNan(v);
    let at = out${q} + vec4u(channel${r});
${XYZW.map((e) => `    if (inside${q}.${e}) { out[at.${e}] = v.${e}; }`).join('\n')}
  }`,
)}`;
  return `  let last = min(params.perGroup - column, ${rows}u) - 1u;
  let firstChannel = tile.group * params.perGroup + column;
  let channels = vec4u(params.channels);
  let activation = params.activation;
  let relu = vec4<bool>(activation == 1u);
  var odd = activation > 1u;
${lines(rows / lanes, (g) => `  var biasOf${g} = 0.0;`)}
  if (params.hasBias != 0u) {
${lines(rows / lanes, (g) => `    biasOf${g} = bias[firstChannel + min(${g * lanes}u + lane, last)];`)}
  }
${lines(quads, (q) => `  let out${q} = ${quadOf(q, (p) => `${p}.out`, 'vec4u')} * channels;\n  let inside${q} = ${quadOf(q, (p) => `${p}.inside`, 'vec4<bool>')};`)}
${lines(rows, store)}
${sumsOf(shape, rows)}
  for (var i = select(${4 * rows * quads}u, 0u, odd); i < ${4 * rows * quads}u; i++) {
    let row = i / ${4 * quads}u;
    let own = min((row & ~3u) + (lane ^ (row & 3u)), last);
    let columnAt = baseW + (column + own) * params.wChannel;
    let place = placeOf(firstPlace + i % ${4 * quads}u * ${lanes}u, phase);
    finishPlace(place, phase, base, columnAt, true, firstChannel + own, sums[i / 4u][i % 4u]);
  }`;
}

/** The entry point that owns `rows` channels. */
function gatherEntry(shape: Shape, rows: number): string {
  const { lanes, quads } = shape;
  const places = 4 * quads * lanes;
  return `@compute @workgroup_size(${lanes})
fn conv${rows}(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let tile = locateTile(number);
  let phase = tile.phase;
  let column = tile.column * ${rows}u;
  let base = tile.group * params.groupDepth;
  let baseW = tile.group * params.wGroup;
${lines(rows / lanes, (g) => `  let rowAt${g} = min(column + lane + ${g * lanes}u, params.perGroup - 1u) * params.wChannel;`)}
  let firstPlace = tile.place * ${places}u + lane;
${lines(4 * quads, (j) => `  let place${j} = placeOf(firstPlace + ${j * lanes}u, phase);`)}
${lines(quads, (q) =>
  [
    `  let z${q} = ${quadOf(q, (p) => `${p}.at.x`, 'vec4i')};`,
    `  let y${q} = ${quadOf(q, (p) => `${p}.at.y`, 'vec4i')};`,
    `  let x${q} = ${quadOf(q, (p) => `u32(${p}.at.z)`, 'vec4u')};`,
    `  let origin${q} = ${quadOf(q, (p) => `${p}.origin`, 'vec4u')};`,
  ].join('\n'),
)}
${lines(rows, (r) => lines(quads, (q) => `  var sum${r}_${q} = vec4f();`))}
${shape.fours ? foldedLoop(shape, rows) : nestedLoops(shape, rows)}
${shape.fours ? straightWayOut(shape, rows) : loopedWayOut(shape, rows)}
}
`;
}

/** The entry point that owns `rows` filters. */
function filterEntry(shape: Shape, rows: number): string {
  const { lanes, quads, quadSwaps } = shape;
  const wide = 4 * quads * lanes;
  const quadOf = (q: number, of: (row: string) => string, type: string): string =>
    `${type}(${range(4)
      .map((e) => of(`row${4 * q + e}`))
      .join(', ')})`;
  return `@compute @workgroup_size(${lanes})
fn filter${rows}(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let stack = number / params.tilesN;
  let block = stack / params.tiles;
  let group = block / params.parts;
  let part = block % params.parts;
  let firstRow = stack % params.tiles * ${wide}u + lane;
  let inGroup = number % params.tilesN * ${rows}u;
  let firstFilter = group * params.perGroup;
  let base = group * params.depth;
  let begin = params.first + part * params.partLength;
  let end = min(params.last, begin + params.partLength);
${lines(rows / lanes, (g) => `  let filterAt${g} = firstFilter + min(inGroup + lane + ${g * lanes}u, params.perGroup - 1u);`)}
${lines(4 * quads, (j) => `  let row${j} = filterRow(firstRow + ${j * lanes}u);`)}
${lines(quads, (q) =>
  [
    `  let z${q} = ${quadOf(q, (r) => `${r}.reach.x`, 'vec4i')};`,
    `  let y${q} = ${quadOf(q, (r) => `${r}.reach.y`, 'vec4i')};`,
    `  let x${q} = ${quadOf(q, (r) => `${r}.reach.z`, 'vec4i')};`,
    `  let at${q} = ${quadOf(q, (r) => `${r}.at`, 'vec4u')} + base;`,
  ].join('\n'),
)}
${lines(rows, (r) => lines(quads, (q) => `  var sum${r}_${q} = vec4f();`))}
  let width = vec4u(params.source.z);
  let step = params.step.z;
  let stepX = u32(step) * params.channels;
  let stepY = params.filters;
  var pixel = begin;
  while (pixel < end) {
    let line = lineOf(pixel);
    let stop = min(end, pixel + line.length);
${lines(
  quads,
  (q) =>
    `    let valid${q} = (vec4u(z${q} + line.at.x) < vec4u(params.source.x)) & (vec4u(y${q} + line.at.y) < vec4u(params.source.y));`,
)}
    var along = line.at.z;
    var origin = line.origin;
    var py = pixel * stepY;
    for (; pixel < stop; pixel++) {
${lines(quads, (q) =>
  [
    `      let from${q} = at${q} + origin;`,
    `      let right${q} = select(vec4f(), vec4f(${XYZW.map((e) => `x[from${q}.${e}]`).join(', ')}), valid${q} & (vec4u(x${q} + along) < width));`,
  ].join('\n'),
)}
${indent(
  '      ',
  products(shape, rows, (g) => `dy[py + filterAt${g}]`),
)}
      along += step;
      origin += stepX;
      py += stepY;
    }
  }
${sumsOf(shape, rows)}
  // Filters that are not there do not count; this also keeps drivers from unrolling the loop.
  let rows = min(params.perGroup - inGroup, ${rows}u);
  for (var i = 0u; i < ${quadSwaps ? '((rows + 3u) & ~3u)' : 'rows'} * ${quads}u; i++) {
    let row = i / ${quads}u;
    let own = inGroup + ${rowOf(shape)};
    let first = firstRow + i % ${quads}u * ${4 * lanes}u;
    for (var e = 0u; e < 4u; e++) {
      finishFilter(first + e * ${lanes}u, base, firstFilter + own, own < params.perGroup, part, begin, end, sums[i][e]);
    }
  }
}
`;
}

/** The text of a sibling: `what` it computes, how a workgroup shares the work, then all its code. */
function sibling(
  of: string,
  { lanes, quadSwaps }: Shape,
  what: string,
  work: string,
  entries: string,
): string {
  const { shared, bindings } = sharedText(of);
  const swaps = `//
// The lanes trade by quadSwap, so sum i of lane l belongs to the row (i - x) + (l ^ x), x = i % 4.
`;
  return `// Written by scripts/conv-siblings.ts; change it there.
enable subgroups;

// ${what} for devices whose subgroups have ${lanes} invocations: the sibling of ${of},
// where the formula stands.
//
${bindings}//
${work}
${quadSwaps ? swaps : ''}
${shared}${entries}`;
}

function gatherSibling(shape: Shape): string {
  const { lanes, rows, quads } = shape;
  const work = `// A workgroup is one subgroup and owns ${rows.join(' or ')} channels of one group at ${4 * quads * lanes} places. Lane l owns the places
// l + ${lanes} j, j < ${4 * quads}, in all these channels, and writes them with \`=\`. For each tap and each k, lane l loads w for the channels
// l + ${lanes} g, and the lanes pass these numbers around. Channels and places beyond the edge are clamped and not stored.`;
  const entries = rows.map((count) => gatherEntry(shape, count)).join('\n');
  return sibling(
    'conv.wgsl',
    shape,
    'Convolution and its input gradient',
    work,
    (shape.fours ? foldedHelpers : '') + entries,
  );
}

function filterSibling(of: Shape): string {
  const shape = { ...of, quads: of.filterQuads };
  const { lanes, rows, quads } = shape;
  const work = `// A workgroup is one subgroup and owns ${rows.join(' or ')} filters of one group in ${4 * quads * lanes} rows, pairs of a tap and a channel. Lane l owns
// the rows l + ${lanes} j, j < ${4 * quads}, of all these filters, and writes them with \`=\`, or adds to them. For each pixel, lane l loads dy for
// the filters l + ${lanes} g, and the lanes pass these numbers around. Filters and rows beyond the edge are clamped and not stored.`;
  const entries = rows.map((count) => filterEntry(shape, count)).join('\n');
  return sibling('conv-filter.wgsl', shape, 'The filter gradient of convolution', work, entries);
}

const files = new Map<string, string>();
for (const shape of SHAPES) {
  files.set(`conv.subgroups${shape.lanes}.wgsl`, gatherSibling(shape));
  files.set(`conv-filter.subgroups${shape.lanes}.wgsl`, filterSibling(shape));
}

/** A sibling of conv.wgsl of which there is one. */
function otherSibling(what: string, work: string, text: string, feature = ''): string {
  const { shared, bindings } = sharedText('conv.wgsl');
  return `// Written by scripts/conv-siblings.ts; change it there.
${feature}//
// Convolution and its input gradient ${what}: the sibling of conv.wgsl, where the formula stands.
//
${bindings}//
${work}
${shared}${text}`;
}

const NARROW = 'where the result has few channels';
files.set('conv.narrow.wgsl', otherSibling(NARROW, narrowWork, narrowText(NEXT_TURN)));
files.set(
  'conv.narrow.subgroups4.wgsl',
  otherSibling(
    `${NARROW}, for devices whose subgroups have 4 invocations`,
    narrowQuadsWork,
    narrowQuadsText(NEXT_TURN),
    'enable subgroups;\n',
  ),
);
files.set('conv.depthwise.wgsl', otherSibling('by channel', depthwiseWork, depthwiseText()));

const check = process.argv.includes('--check');
for (const [name, text] of files) {
  const file = new URL(name, folder);
  if (!check) {
    writeFileSync(file, text);
    continue;
  }
  let present = '';
  try {
    present = readFileSync(file, 'utf8');
  } catch {
    // A missing file is stale.
  }
  if (present !== text) {
    console.error(
      `${file.pathname} is stale; run node --import ./scripts/register.mjs scripts/conv-siblings.ts`,
    );
    process.exitCode = 1;
  }
}
