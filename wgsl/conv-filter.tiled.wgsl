// The filter gradient of convolution with tiles in workgroup memory, for hardware: the sibling of conv-filter.wgsl, where the formula
// stands.
//
//   binding 1   x     (batch, ...source, channels)   read    zero beyond its edges
//   binding 2   dy    (batch, ...out, filters)       read
//   binding 3   dw    (taps, depth, filters), or (parts, taps, depth, filters) of partial sums    write
//
// A workgroup of 16 x 16 invocations owns 64 filters of one group in 64 rows, pairs of a tap and a channel; invocation (x, y) owns
// the filters 4 x to 4 x + 3 in the rows 4 y to 4 y + 3, and writes them with `=`, or adds to them. 16 pixels at a time go through
// workgroup memory. Filters and rows beyond the edge are clamped and not stored.

struct Params {
  groups: u32, // workgroups that have work
  tiles: u32, // of rows
  tilesN: u32, // of filters in one group
  rows: u32, // taps * depth
  depth: u32, // channels of one group
  channels: u32,
  filters: u32,
  perGroup: u32, // filters of one group
  first: u32, // pixel
  last: u32, // pixel, exclusive
  partLength: u32, // pixels
  parts: u32,
  elements: u32, // of dw
  adds: u32, // whether to add to what dw holds
  unused0: u32,
  unused1: u32,
  kernel: vec3u,
  source: vec3u,
  out: vec3u,
  step: vec3i, // strides
  before: vec3i,
  tapStep: vec3i, // dilation
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// A row of the product: how far its tap reaches, and where that leads in x.
struct Row {
  reach: vec3i,
  at: u32, // as a number that wraps around
}

fn filterRow(number: u32) -> Row {
  let clamped = min(number, params.rows - 1u);
  let tap = clamped / params.depth;
  let line = tap / params.kernel.z;
  let taps = vec3u(line / params.kernel.y, line % params.kernel.y, tap % params.kernel.z);
  let reach = vec3i(taps) * params.tapStep - params.before;
  let shift = (reach.x * i32(params.source.y) + reach.y) * i32(params.source.z) + reach.z;
  return Row(reach, u32(shift) * params.channels + clamped % params.depth);
}

// A line of dy's pixels from the first wanted one on, and where a tap without reach meets x.
struct Line {
  at: vec3i, // coordinates in x
  origin: u32, // address of these
  length: u32, // pixels up to the end of the line
}

fn lineOf(pixel: u32) -> Line {
  let row = pixel / params.out.z;
  let slab = row / params.out.y;
  let image = slab / params.out.x;
  let o = vec3u(slab % params.out.x, row % params.out.y, pixel % params.out.z);
  let at = o * vec3u(params.step);
  let origin = ((image * params.source.x + at.x) * params.source.y + at.y) * params.source.z + at.z;
  return Line(vec3i(at), origin * params.channels, params.out.z - o.z);
}

// One element of the sum over the pixels from begin to end, without the padding.
fn plainFilterSum(row: Row, base: u32, column: u32, begin: u32, end: u32) -> f32 {
  var sum = 0.0;
  for (var pixel = begin; pixel < end; pixel++) {
    let line = lineOf(pixel);
    if (any(vec3u(line.at + row.reach) >= params.source)) { continue; }
    sum = fma(x[line.origin + row.at + base], dy[pixel * params.filters + column], sum);
  }
  return sum;
}

// Stores one element of a part; outside of the result it does nothing.
fn finishFilter(number: u32, base: u32, column: u32, inside: bool, part: u32, begin: u32, end: u32, sum: f32) {
  if (!inside || number >= params.rows) { return; }
  var v = sum;
  if (isNan(v)) { v = plainFilterSum(filterRow(number), base, column, begin, end); }
  let at = part * params.elements + number * params.filters + column;
  if (params.adds != 0u) { v += dw[at]; }
  dw[at] = v;
}

const STEP = 16u;

// One vector holds four neighbouring rows (or filters) at one pixel: element [pixel * 16 + row / 4].
var<workgroup> tileX: array<vec4f, 256>;
var<workgroup> tileDy: array<vec4f, 256>;

@compute @workgroup_size(16, 16)
fn filterTiled(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let stack = number / params.tilesN;
  let block = stack / params.tiles;
  let group = block / params.parts;
  let part = block % params.parts;
  let firstRow = stack % params.tiles * 64u;
  let inGroup = number % params.tilesN * 64u;
  let firstFilter = group * params.perGroup;
  let base = group * params.depth;
  let begin = params.first + part * params.partLength;
  let end = min(params.last, begin + params.partLength);
  let loadPixel = index >> 4u;
  let loadAt = index & 15u;
  let filters = min(vec4u(inGroup + 4u * loadAt) + vec4u(0u, 1u, 2u, 3u), vec4u(params.perGroup - 1u)) + firstFilter;
  let row0 = filterRow(firstRow + 4u * loadAt);
  let row1 = filterRow(firstRow + 4u * loadAt + 1u);
  let row2 = filterRow(firstRow + 4u * loadAt + 2u);
  let row3 = filterRow(firstRow + 4u * loadAt + 3u);
  let reachZ = vec4i(row0.reach.x, row1.reach.x, row2.reach.x, row3.reach.x);
  let reachY = vec4i(row0.reach.y, row1.reach.y, row2.reach.y, row3.reach.y);
  let reachX = vec4i(row0.reach.z, row1.reach.z, row2.reach.z, row3.reach.z);
  let rowAt = vec4u(row0.at, row1.at, row2.at, row3.at) + base;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var pixel = begin; pixel < end; pixel += STEP) {
    let own = min(pixel + loadPixel, end - 1u);
    let line = lineOf(own);
    let valid = (vec4u(reachZ + line.at.x) < vec4u(params.source.x)) & (vec4u(reachY + line.at.y) < vec4u(params.source.y))
      & (vec4u(reachX + line.at.z) < vec4u(params.source.z)) & vec4<bool>(pixel + loadPixel < end);
    let fromX = rowAt + line.origin;
    let fromDy = filters + own * params.filters;
    let valuesX = vec4f(x[fromX.x], x[fromX.y], x[fromX.z], x[fromX.w]);
    let valuesDy = vec4f(dy[fromDy.x], dy[fromDy.y], dy[fromDy.z], dy[fromDy.w]);
    workgroupBarrier();
    tileX[loadPixel * 16u + loadAt] = select(vec4f(), valuesX, valid);
    tileDy[loadPixel * 16u + loadAt] = select(vec4f(), valuesDy, pixel + loadPixel < end);
    workgroupBarrier();
    for (var step = 0u; step < STEP; step++) {
      let left = tileX[step * 16u + local.y];
      let right = tileDy[step * 16u + local.x];
      sum0 = fma(vec4f(left.x), right, sum0);
      sum1 = fma(vec4f(left.y), right, sum1);
      sum2 = fma(vec4f(left.z), right, sum2);
      sum3 = fma(vec4f(left.w), right, sum3);
    }
  }
  var sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  for (var e = 0u; e < 16u; e++) {
    let row = firstRow + 4u * local.y + e / 4u;
    let column = inGroup + 4u * local.x + e % 4u;
    finishFilter(row, base, firstFilter + column, column < params.perGroup, part, begin, end, sums[e / 4u][e % 4u]);
  }
}
