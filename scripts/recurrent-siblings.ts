/**
 * Writes the siblings of wgsl/recurrent.wgsl and wgsl/recurrent-gradient.wgsl for subgroups of four and eight invocations:
 * the same text, but for a register tile that the lanes share, unrolled.
 *
 *   node --import ./scripts/register.mjs scripts/recurrent-siblings.ts [--check]
 *
 * With `--check` it writes nothing and exits with 1 if a file is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Tile {
  readonly lanes: 4 | 8;
  readonly rows: 16;
}

/** One of the two shaders: what its tile multiplies. */
interface Shader {
  readonly name: string;
  /** The function that computes a tile, and the statements before its sums: they define `offset` and `stride`. */
  readonly product: string;
  /** Reads the left matrix at a place. */
  readonly left: (at: string) => string;
  readonly terms: string;
  readonly stepRight: string;
}

const SHADERS: readonly Shader[] = [
  {
    name: 'recurrent',
    product: 'product4',
    left: (at) => `leftOf(phase, ${at})`,
    terms: 'units',
    stepRight: 'params.columns',
  },
  {
    name: 'recurrent-gradient',
    product: 'backProduct4',
    left: (at) => `productGradient(${at})`,
    terms: 'terms',
    stepRight: 'params.units',
  },
];

const folder = new URL('../wgsl/', import.meta.url);
const XYZW = ['x', 'y', 'z', 'w'] as const;
const SWAPS = ['', 'quadSwapX', 'quadSwapY', 'quadSwapDiagonal'] as const;
const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');
const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

/** What a lane needs for its sum `i`, out of a value that the lanes hold for the rows l + lanes g, group g in `name`. */
function ofRow({ lanes }: Tile, name: string, i: number): string {
  const lane = i % lanes;
  if (lanes === 8) return `subgroupBroadcast(${name}, ${lane}u)`;
  return lane === 0 ? name : `${SWAPS[lane]}(${name})`;
}

/** One turn of k. */
function turn(tile: Tile, { left, stepRight }: Shader): string {
  const { lanes, rows } = tile;
  return `${lines(rows / lanes, (g) => `let a${g} = ${left(`at${g}`)};`)}
let b = vec4f(${XYZW.map((e) => `kernel[right.${e}]`).join(', ')});
${lines(rows, (i) => `sum${i} = fma(b, vec4f(${ofRow(tile, `a${Math.floor(i / lanes)}`, i)}), sum${i});`)}
${lines(rows / lanes, (g) => `at${g} += 1u;`)}
right += ${stepRight};`;
}

/** Four turns of k: each sum takes the product of four numbers of its row and a matrix of four by four. */
function fourTurns(tile: Tile, { left, stepRight }: Shader): string {
  const { lanes, rows } = tile;
  const four = (g: number): string =>
    [0, 1, 2, 3].map((k) => left(k === 0 ? `at${g}` : `at${g} + ${k}u`)).join(', ');
  return `let right1 = right + ${stepRight};
let right2 = right1 + ${stepRight};
let right3 = right2 + ${stepRight};
${lines(rows / lanes, (g) => `let a${g} = vec4f(${four(g)});`)}
let b = mat4x4f(
${XYZW.map((e) => `  kernel[right.${e}], kernel[right1.${e}], kernel[right2.${e}], kernel[right3.${e}],`).join('\n')}
);
${lines(rows, (i) => `sum${i} += ${ofRow(tile, `a${Math.floor(i / lanes)}`, i)} * b;`)}
${lines(rows / lanes, (g) => `at${g} += 4u;`)}
right = right3 + ${stepRight};`;
}

/** The body of the tile's function behind its first statements. */
function sums(tile: Tile, shader: Shader, right: string): string {
  const { lanes, rows } = tile;
  const loop =
    lanes === 4
      ? `  var k = 0u;
  for (; k + 3u < ${shader.terms}; k += 4u) {
${indent(indent(fourTurns(tile, shader)))}
  }
  for (; k < ${shader.terms}; k++) {`
      : `  for (var k = 0u; k < ${shader.terms}; k++) {`;
  return `${lines(rows / lanes, (g) => `  var at${g} = offset + min(row + lane + ${g * lanes}u, last) * stride;`)}
  var right = ${right};
${lines(rows, (i) => `  var sum${i} = vec4f();`)}
${loop}
${indent(indent(turn(tile, shader)))}
  }
  return Sums(
${lines(rows / 4, (line) => `    ${[0, 1, 2, 3].map((i) => `sum${4 * line + i}`).join(', ')},`)}
  );
}
`;
}

/** Replaces a text that must be there. */
function replace(text: string, pattern: string | RegExp, by: string): string {
  const result = text.replace(pattern, () => by);
  if (result === text) throw new Error(`nothing to replace: ${String(pattern)}`);
  return result;
}

const NOTES: Readonly<Record<4 | 8, string>> = {
  4: `// An invocation shares a tile of 16 rows with its subgroup of 4: lane l loads the left matrix in the rows l + 4 g. The lanes
// trade by quadSwap, so sum i of lane l belongs to the row (i - x) + (l ^ x), x = i % 4: as in matmul.subgroups4.wgsl.
`,
  8: `// An invocation shares a tile of 16 rows with its subgroup of 8: lane l loads the left matrix in the rows l + 8 g, and the
// lanes pass these numbers around.
`,
};

/** The text of a sibling. */
function sibling(base: string, shader: Shader, tile: Tile): string {
  const { lanes, rows } = tile;
  const { product } = shader;
  const shared = `${product.slice(0, -1)}${lanes === 4 ? 'Quads' : 'Octets'}`;
  let text = base.slice(0, base.indexOf('// The state be')).trimEnd();
  text = replace(text, /\/\/ {3}begin {5}binding 1[\s\S]*?(?=\/\/\n)/, '');
  text = replace(text, /(?<=@binding\(8\)[^\n]*\n)[\s\S]*?(?=\nfn isNan)/, '');
  text = replace(text, '\noverride CELL', `${NOTES[lanes]}\noverride CELL`);
  text = replace(
    text,
    /override LANES[^\n]*\noverride ROWS[^\n]*\n/,
    `const LANES = ${lanes}u;\nconst ROWS = ${rows}u;\n`,
  );
  text = replace(text, 'array<vec4f, 4>', `array<vec4f, ${rows}>`);
  const right = /var right = ([^;]*);/.exec(text)?.[1] as string;
  text = replace(text, / {2}var at = [\s\S]*?\n}\n/, `${sums(tile, shader, right)}`);
  text = text.replaceAll(product, shared);
  text = replace(text, 'local_invocation_index', 'subgroup_invocation_id');
  if (lanes === 4) text = replace(text, 'let r = row + i;', 'let r = row + (i & ~3u) + (lane ^ (i & 3u));');
  return `// Written by scripts/recurrent-siblings.ts; change it there.\nenable subgroups;\n\n${text}\n`;
}

const isCheck = process.argv.includes('--check');
let stale = false;
for (const shader of SHADERS) {
  const base = readFileSync(new URL(`${shader.name}.wgsl`, folder), 'utf8');
  for (const lanes of [4, 8] as const) {
    const file = new URL(`${shader.name}.subgroups${lanes}.wgsl`, folder);
    const text = sibling(base, shader, { lanes, rows: 16 });
    if (!isCheck) writeFileSync(file, text);
    else if (readFileSync(file, 'utf8') !== text) stale = true;
  }
}
if (stale) {
  console.error('The siblings of the recurrent shaders are stale; run scripts/recurrent-siblings.ts.');
  process.exitCode = 1;
}
