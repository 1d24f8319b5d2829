/**
 * Writes wgsl/matmul.subgroups4.wgsl and wgsl/matmul.subgroups8.wgsl: one register tile, unrolled in the text for two
 * subgroup sizes, after the declarations and helpers of wgsl/matmul.wgsl.
 *
 *   node --import ./scripts/register.mjs scripts/matmul-siblings.ts [--check]
 *
 * With `--check` it writes nothing and exits with 1 if a file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface TileShape {
  readonly lanes: number;
  readonly rows: number;
  /** Four turns of k are taken at once. */
  readonly fours: boolean;
  /** Lanes trade by quadSwap instead of subgroupBroadcast. */
  readonly quadSwaps: boolean;
  /** Why this shape. */
  readonly why: string;
}

const TILES: readonly TileShape[] = [
  {
    lanes: 4,
    rows: 16,
    fours: true,
    quadSwaps: true,
    why: `// The lanes trade by quadSwap, one machine instruction where a broadcast is seven, so sum i of lane l belongs to the row
// (i - x) + (l ^ x), x = i % 4. Such devices (SwiftShader) mask all that lives through a turn of a loop, some ten
// instructions for each number, so four turns of k are taken at once; more, or a larger tile, would not fit the
// processor's instruction cache. They also run through both sides of a branch, so every tile takes the same way out.
`,
  },
  { lanes: 8, rows: 16, fours: false, quadSwaps: false, why: '' },
];

const folder = new URL('../wgsl/', import.meta.url);
const base = readFileSync(new URL('matmul.wgsl', folder), 'utf8');
const shared = base.slice(base.indexOf('struct Params'), base.indexOf('// Adds the bias, applies'));
const bindings = base.slice(base.indexOf('//   binding 1'), base.indexOf('//\n// A transposed'));

/** The four columns that one lane owns. */
const XYZW = ['x', 'y', 'z', 'w'] as const;
const SWAPS = ['', 'quadSwapX', 'quadSwapY', 'quadSwapDiagonal'] as const;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = (count: number, line: (i: number) => string): string => range(count).map(line).join('\n');
const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

/** What a lane needs for its sum `i`, out of a value that the lanes hold for the rows l + lanes g, group g in `name`. */
function ofRow({ lanes, quadSwaps }: TileShape, name: string, i: number): string {
  const lane = i % lanes;
  if (!quadSwaps) return `subgroupBroadcast(${name}, ${lane}u)`;
  return lane === 0 ? name : `${SWAPS[lane]}(${name})`;
}

/** The row of sum `i`, a number or an expression, within the tile. */
function rowOf({ quadSwaps }: TileShape, i: number | string): string {
  if (typeof i === 'string') return quadSwaps ? `(${i} & ~3u) + (lane ^ (${i} & 3u))` : i;
  return quadSwaps ? `${i & ~3}u + (lane ^ ${i & 3}u)` : `${i}u`;
}

/** One turn of k. */
function turn(shape: TileShape): string {
  const { lanes, rows } = shape;
  return `${lines(rows / lanes, (g) => `let a${g} = a[pa + rowAt${g}];`)}
let right = vec4f(${XYZW.map((_, j) => `b[pb + columnAt${j}]`).join(', ')});
${lines(rows, (i) => `sum${i} = fma(right, vec4f(${ofRow(shape, `a${Math.floor(i / lanes)}`, i)}), sum${i});`)}
pa += stepA;
pb += stepB;`;
}

/** Four turns of k: each sum takes the product of four numbers of its row and a matrix of four by four. */
function fourTurns(shape: TileShape): string {
  const { lanes, rows } = shape;
  const later = [1, 2, 3];
  const four = (name: string, at: string, pointer: string): string =>
    `${name}[${pointer} + ${at}], ${later.map((step) => `${name}[${pointer}${step} + ${at}]`).join(', ')}`;
  return `${later.map((step) => `let pa${step} = pa${step - 1 || ''} + stepA;`).join('\n')}
${later.map((step) => `let pb${step} = pb${step - 1 || ''} + stepB;`).join('\n')}
${lines(rows / lanes, (g) => `let a${g} = vec4f(${four('a', `rowAt${g}`, 'pa')});`)}
let right = mat4x4f(
${XYZW.map((_, j) => `  ${four('b', `columnAt${j}`, 'pb')},`).join('\n')}
);
${lines(rows, (i) => `sum${i} += ${ofRow(shape, `a${Math.floor(i / lanes)}`, i)} * right;`)}
pa = pa3 + stepA;
pb = pb3 + stepB;`;
}

/** One row of a lane on its way out. */
function store(shape: TileShape, i: number): string {
  return `  {
    let r = min(row + ${rowOf(shape, i)}, m - 1u);
    let s = sum${i} + biasOfColumns + ${ofRow(shape, `biasOfRow${Math.floor(i / shape.lanes)}`, i)};
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
${XYZW.map((e) => `    out[at.${e}] = v.${e};`).join('\n')}
  }`;
}

/** The text of the sibling for one shape of tiles. */
function sibling(shape: TileShape): string {
  const { lanes, rows, fours, why } = shape;
  const groups = rows / lanes;
  return `// Written by scripts/matmul-siblings.ts; change it there.
enable subgroups;

// out = activation(A B + bias), for devices whose subgroups have ${lanes} invocations: the sibling of matmul.wgsl.
//
${bindings}//
// A workgroup is one subgroup and owns ${rows} rows and ${4 * lanes} columns. Lane l owns the columns l + ${lanes} j, j < 4, in all ${rows}
// rows, and writes them with \`=\`. For each k, lane l loads A in the rows l + ${lanes} g, g < ${groups}, and the lanes pass these
// numbers around. Rows and columns beyond the edge are clamped: their sums are those of the last row or column, bit for
// bit, and are stored in its place.
${why}
${shared}@compute @workgroup_size(${lanes})
fn matmulSubgroups(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let tile = locate(group);
  let m = params.m;
  let n = params.n;
  let row = tile.m * ${rows}u;
  let column = tile.n * ${4 * lanes}u + lane;
${lines(groups, (g) => `  let row${g} = min(row + lane + ${g * lanes}u, m - 1u);`)}
  let columns = min(vec4u(column) + vec4u(0u, ${lanes}u, ${2 * lanes}u, ${3 * lanes}u), vec4u(n - 1u));
${lines(groups, (g) => `  let rowAt${g} = row${g} * params.strideAm;`)}
${lines(4, (j) => `  let columnAt${j} = columns.${XYZW[j]} * params.strideBn;`)}
${lines(rows, (i) => `  var sum${i} = vec4f();`)}
  let stepA = params.strideAk;
  let stepB = params.strideBk;
  var pa = tile.a + tile.kBegin * stepA;
  var pb = tile.b + tile.kBegin * stepB;
  var k = tile.kBegin;
${fours ? `  for (; k + 3u < tile.kEnd; k += 4u) {\n${indent(indent(fourTurns(shape)))}\n  }\n` : ''}  for (; k < tile.kEnd; k++) {
${indent(indent(turn(shape)))}
  }

${lines(groups, (g) => `  var biasOfRow${g} = 0.0;`)}
  var biasOfColumns = vec4f();
  if (params.hasBias * params.strideBiasM != 0u) {
${lines(groups, (g) => `    biasOfRow${g} = bias[row${g}];`)}
  }
  if (params.hasBias * params.strideBiasN != 0u) {
    biasOfColumns = vec4f(${XYZW.map((e) => `bias[columns.${e}]`).join(', ')});
  }
  let relu = vec4<bool>(params.activation == 1u);
  let stepM = params.strideOutM;
  let columnOut = columns * params.strideOutN;
${lines(rows, (i) => store(shape, i))}
  // In a loop, for it is long and rare. A subgroup runs in step: all sums are stored by now.
  if (params.activation > 1u) {
    for (var i = 0u; i < ${4 * rows}u; i++) {
      let r = row + ${rowOf(shape, '(i >> 2u)')};
      let c = column + (i & 3u) * ${lanes}u;
      if (r >= m || c >= n) { continue; }
      let at = tile.out + r * stepM + c * params.strideOutN;
      out[at] = activate(out[at]);
    }
  }
}
`;
}

const check = process.argv.includes('--check');
for (const shape of TILES) {
  const file = new URL(`matmul.subgroups${shape.lanes}.wgsl`, folder);
  const text = sibling(shape);
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
      `${file.pathname} is stale; run node --import ./scripts/register.mjs scripts/matmul-siblings.ts`,
    );
    process.exitCode = 1;
  }
}
