// out[…, r, c] = input[…, r, c] where c − r ≥ diagonal (upper) or c − r ≤ diagonal (lower), else 0, whatever the input
// holds there; for any dtype of 32-bit words.
//
//   input  (matrices, rows, columns)   read
//   out    (matrices, rows, columns)   `=`; one invocation owns one element (triangle), or four neighbours (triangleQuads,
//                                      where rows have a multiple of four)
//
// ⌊n / extent⌋ = mulHigh(n, multiplier) >> shift holds for n < 2^31 and extents ≥ 2.

struct Params {
  count: u32,
  rows: u32,
  columns: u32,
  diagonal: i32,
  upper: u32,
  rowMultiplier: u32,
  rowShift: u32,
  columnMultiplier: u32,
  columnShift: u32,              // columnMultiplier, columnShift: for what an invocation owns of a row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> input4: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> out4: array<vec4u>;

// The upper 32 bits of the 64-bit product.
fn mulHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let cross = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (cross >> 16u);
}

// Column − row of the first element that an invocation owns, in rows of `width` such places of `owned` elements.
fn diagonalOf(index: u32, width: u32, owned: u32) -> i32 {
  var line = index;
  if (width > 1u) { line = mulHigh(index, params.columnMultiplier) >> params.columnShift; }
  let column = (index - line * width) * owned;
  var matrix = line;
  if (params.rows > 1u) { matrix = mulHigh(line, params.rowMultiplier) >> params.rowShift; }
  return i32(column) - i32(line - matrix * params.rows);
}

@compute @workgroup_size(64)
fn triangle(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let diagonal = diagonalOf(index, params.columns, 1u);
  let kept = select(diagonal <= params.diagonal, diagonal >= params.diagonal, params.upper != 0u);
  out[index] = select(0u, input[index], kept);
}

@compute @workgroup_size(64)
fn triangleQuads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let diagonal = vec4i(diagonalOf(index, params.columns / 4u, 4u)) + vec4i(0, 1, 2, 3);
  let limit = vec4i(params.diagonal);
  let kept = select(diagonal <= limit, diagonal >= limit, vec4<bool>(params.upper != 0u));
  out4[index] = select(vec4u(0u), input4[index], kept);
}
