// out[…, r, c] = input[…, r, c] where c − r ≥ diagonal (upper) or c − r ≤ diagonal (lower), else 0, whatever the input
// holds there; for any dtype of 32-bit words.
//
//   input  (matrices, rows, columns)   read
//   out    (matrices, rows, columns)   one invocation owns one element, `=`
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
  columnShift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

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

@compute @workgroup_size(64)
fn triangle(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  var line = index;
  if (params.columns > 1u) { line = mulHigh(index, params.columnMultiplier) >> params.columnShift; }
  let column = index - line * params.columns;
  var matrix = line;
  if (params.rows > 1u) { matrix = mulHigh(line, params.rowMultiplier) >> params.rowShift; }
  let row = line - matrix * params.rows;
  let diagonal = i32(column) - i32(row);
  let kept = select(diagonal <= params.diagonal, diagonal >= params.diagonal, params.upper != 0u);
  out[index] = select(0u, input[index], kept);
}
