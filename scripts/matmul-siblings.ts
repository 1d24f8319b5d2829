/**
 * Writes wgsl/matmul.subgroups4.wgsl and wgsl/matmul.subgroups8.wgsl: one register tile, unrolled in the text for two
 * subgroup sizes, after the declarations and helpers of wgsl/matmul.wgsl.
 *
 *   node --import ./scripts/register.mjs scripts/matmul-siblings.ts [--check]
 *
 * With `--check` it writes nothing and exits with 1 if a file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Columns that one lane owns. */
const COLUMNS = 4;
const TILES = [
  { lanes: 4, rows: 32 },
  { lanes: 8, rows: 16 },
] as const;

const folder = new URL('../wgsl/', import.meta.url);
const base = readFileSync(new URL('matmul.wgsl', folder), 'utf8');
const shared = base.slice(base.indexOf('struct Params'), base.indexOf('// From here on'));
const bindings = base.slice(base.indexOf('//   binding 1'), base.indexOf('//\n// A transposed'));

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = (count: number, line: (i: number) => string): string => range(count).map(line).join('\n');

/** The text of the sibling for subgroups of `lanes` invocations. */
function sibling(lanes: number, rows: number): string {
  const loads = rows / lanes;
  const sums = (i: number) => range(COLUMNS).map((j) => `sum${i}_${j}`);
  return `// Written by scripts/matmul-siblings.ts; change it there.
enable subgroups;

// out = activation(A B + bias), for devices whose subgroups have ${lanes} invocations: the sibling of matmul.wgsl.
//
${bindings}//
// A workgroup is one subgroup and owns ${rows} rows and ${COLUMNS * lanes} columns. Lane l owns the columns l + ${lanes} j, j < ${COLUMNS}, in all ${rows}
// rows, and writes them with \`=\`. For each k, lane l loads A in the rows l + ${lanes} g, g < ${loads}, and the lanes pass these
// numbers around. Rows and columns beyond the edge are clamped and not stored.

${shared}@compute @workgroup_size(${lanes})
fn matmulSubgroups(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let tile = locate(group);
  let row = tile.m * ${rows}u;
  let column = tile.n * ${COLUMNS * lanes}u + lane;
  let lastRow = params.m - 1u;
  let lastColumn = params.n - 1u;
${lines(loads, (g) => `  let rowAt${g} = min(row + lane + ${g * lanes}u, lastRow) * params.strideAm;`)}
${lines(COLUMNS, (j) => `  let columnAt${j} = min(column + ${j * lanes}u, lastColumn) * params.strideBn;`)}
${lines(rows, (i) =>
  sums(i)
    .map((sum) => `  var ${sum} = 0.0;`)
    .join('\n'),
)}
  var pa = tile.a + tile.kBegin * params.strideAk;
  var pb = tile.b + tile.kBegin * params.strideBk;
  for (var k = tile.kBegin; k < tile.kEnd; k++) {
${lines(loads, (g) => `    let a${g} = a[pa + rowAt${g}];`)}
${lines(COLUMNS, (j) => `    let b${j} = b[pb + columnAt${j}];`)}
${lines(rows, (i) =>
  [
    `    let left${i} = subgroupBroadcast(a${Math.floor(i / lanes)}, ${i % lanes}u);`,
    ...sums(i).map((sum, j) => `    ${sum} = fma(left${i}, b${j}, ${sum});`),
  ].join('\n'),
)}
    pa += params.strideAk;
    pb += params.strideBk;
  }
  var sums = array<vec4f, ${rows}>(
${lines(rows, (i) => `    vec4f(${sums(i).join(', ')}),`)}
  );
  for (var e = 0u; e < ${rows * COLUMNS}u; e++) {
    finish(tile.out, row + e / ${COLUMNS}u, column + (e % ${COLUMNS}u) * ${lanes}u, sums[e / ${COLUMNS}u][e % ${COLUMNS}u]);
  }
}
`;
}

const check = process.argv.includes('--check');
for (const { lanes, rows } of TILES) {
  const file = new URL(`matmul.subgroups${lanes}.wgsl`, folder);
  const text = sibling(lanes, rows);
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
