// Written by scripts/conv-siblings.ts; change it there.
enable subgroups;

// The filter gradient of convolution for devices whose subgroups have 4 invocations: the sibling of conv-filter.wgsl,
// where the formula stands.
//
//   binding 1   x     (batch, ...source, channels)   read    zero beyond its edges
//   binding 2   dy    (batch, ...out, filters)       read
//   binding 3   dw    (taps, depth, filters), or (parts, taps, depth, filters) of partial sums    write
//
// A workgroup is one subgroup and owns 8 or 16 filters of one group in 32 rows, pairs of a tap and a channel. Lane l owns
// the rows l + 4 j, j < 8, of all these filters, and writes them with `=`, or adds to them. For each pixel, lane l loads dy for
// the filters l + 4 g, and the lanes pass these numbers around. Filters and rows beyond the edge are clamped and not stored.
//
// The lanes trade by quadSwap, so sum i of lane l belongs to the row (i - x) + (l ^ x), x = i % 4.

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

@compute @workgroup_size(4)
fn filter8(
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
  let firstRow = stack % params.tiles * 32u + lane;
  let inGroup = number % params.tilesN * 8u;
  let firstFilter = group * params.perGroup;
  let base = group * params.depth;
  let begin = params.first + part * params.partLength;
  let end = min(params.last, begin + params.partLength);
  let filterAt0 = firstFilter + min(inGroup + lane + 0u, params.perGroup - 1u);
  let filterAt1 = firstFilter + min(inGroup + lane + 4u, params.perGroup - 1u);
  let row0 = filterRow(firstRow + 0u);
  let row1 = filterRow(firstRow + 4u);
  let row2 = filterRow(firstRow + 8u);
  let row3 = filterRow(firstRow + 12u);
  let row4 = filterRow(firstRow + 16u);
  let row5 = filterRow(firstRow + 20u);
  let row6 = filterRow(firstRow + 24u);
  let row7 = filterRow(firstRow + 28u);
  let z0 = vec4i(row0.reach.x, row1.reach.x, row2.reach.x, row3.reach.x);
  let y0 = vec4i(row0.reach.y, row1.reach.y, row2.reach.y, row3.reach.y);
  let x0 = vec4i(row0.reach.z, row1.reach.z, row2.reach.z, row3.reach.z);
  let at0 = vec4u(row0.at, row1.at, row2.at, row3.at) + base;
  let z1 = vec4i(row4.reach.x, row5.reach.x, row6.reach.x, row7.reach.x);
  let y1 = vec4i(row4.reach.y, row5.reach.y, row6.reach.y, row7.reach.y);
  let x1 = vec4i(row4.reach.z, row5.reach.z, row6.reach.z, row7.reach.z);
  let at1 = vec4u(row4.at, row5.at, row6.at, row7.at) + base;
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var sum2_0 = vec4f();
  var sum2_1 = vec4f();
  var sum3_0 = vec4f();
  var sum3_1 = vec4f();
  var sum4_0 = vec4f();
  var sum4_1 = vec4f();
  var sum5_0 = vec4f();
  var sum5_1 = vec4f();
  var sum6_0 = vec4f();
  var sum6_1 = vec4f();
  var sum7_0 = vec4f();
  var sum7_1 = vec4f();
  let width = vec4u(params.source.z);
  let step = params.step.z;
  let stepX = u32(step) * params.channels;
  let stepY = params.filters;
  var pixel = begin;
  while (pixel < end) {
    let line = lineOf(pixel);
    let stop = min(end, pixel + line.length);
    let valid0 = (vec4u(z0 + line.at.x) < vec4u(params.source.x)) & (vec4u(y0 + line.at.y) < vec4u(params.source.y));
    let valid1 = (vec4u(z1 + line.at.x) < vec4u(params.source.x)) & (vec4u(y1 + line.at.y) < vec4u(params.source.y));
    var along = line.at.z;
    var origin = line.origin;
    var py = pixel * stepY;
    for (; pixel < stop; pixel++) {
      let from0 = at0 + origin;
      let right0 = select(vec4f(), vec4f(x[from0.x], x[from0.y], x[from0.z], x[from0.w]), valid0 & (vec4u(x0 + along) < width));
      let from1 = at1 + origin;
      let right1 = select(vec4f(), vec4f(x[from1.x], x[from1.y], x[from1.z], x[from1.w]), valid1 & (vec4u(x1 + along) < width));
      let own0 = dy[py + filterAt0];
      let own1 = dy[py + filterAt1];
      let left0 = vec4f(own0);
      sum0_0 = fma(left0, right0, sum0_0);
      sum0_1 = fma(left0, right1, sum0_1);
      let left1 = vec4f(quadSwapX(own0));
      sum1_0 = fma(left1, right0, sum1_0);
      sum1_1 = fma(left1, right1, sum1_1);
      let left2 = vec4f(quadSwapY(own0));
      sum2_0 = fma(left2, right0, sum2_0);
      sum2_1 = fma(left2, right1, sum2_1);
      let left3 = vec4f(quadSwapDiagonal(own0));
      sum3_0 = fma(left3, right0, sum3_0);
      sum3_1 = fma(left3, right1, sum3_1);
      let left4 = vec4f(own1);
      sum4_0 = fma(left4, right0, sum4_0);
      sum4_1 = fma(left4, right1, sum4_1);
      let left5 = vec4f(quadSwapX(own1));
      sum5_0 = fma(left5, right0, sum5_0);
      sum5_1 = fma(left5, right1, sum5_1);
      let left6 = vec4f(quadSwapY(own1));
      sum6_0 = fma(left6, right0, sum6_0);
      sum6_1 = fma(left6, right1, sum6_1);
      let left7 = vec4f(quadSwapDiagonal(own1));
      sum7_0 = fma(left7, right0, sum7_0);
      sum7_1 = fma(left7, right1, sum7_1);
      along += step;
      origin += stepX;
      py += stepY;
    }
  }
  var sums = array<vec4f, 16>(
    sum0_0, sum0_1,
    sum1_0, sum1_1,
    sum2_0, sum2_1,
    sum3_0, sum3_1,
    sum4_0, sum4_1,
    sum5_0, sum5_1,
    sum6_0, sum6_1,
    sum7_0, sum7_1,
  );
  // Filters that are not there do not count; this also keeps drivers from unrolling the loop.
  let rows = min(params.perGroup - inGroup, 8u);
  for (var i = 0u; i < ((rows + 3u) & ~3u) * 2u; i++) {
    let row = i / 2u;
    let own = inGroup + (row & ~3u) + (lane ^ (row & 3u));
    let first = firstRow + i % 2u * 16u;
    for (var e = 0u; e < 4u; e++) {
      finishFilter(first + e * 4u, base, firstFilter + own, own < params.perGroup, part, begin, end, sums[i][e]);
    }
  }
}

@compute @workgroup_size(4)
fn filter16(
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
  let firstRow = stack % params.tiles * 32u + lane;
  let inGroup = number % params.tilesN * 16u;
  let firstFilter = group * params.perGroup;
  let base = group * params.depth;
  let begin = params.first + part * params.partLength;
  let end = min(params.last, begin + params.partLength);
  let filterAt0 = firstFilter + min(inGroup + lane + 0u, params.perGroup - 1u);
  let filterAt1 = firstFilter + min(inGroup + lane + 4u, params.perGroup - 1u);
  let filterAt2 = firstFilter + min(inGroup + lane + 8u, params.perGroup - 1u);
  let filterAt3 = firstFilter + min(inGroup + lane + 12u, params.perGroup - 1u);
  let row0 = filterRow(firstRow + 0u);
  let row1 = filterRow(firstRow + 4u);
  let row2 = filterRow(firstRow + 8u);
  let row3 = filterRow(firstRow + 12u);
  let row4 = filterRow(firstRow + 16u);
  let row5 = filterRow(firstRow + 20u);
  let row6 = filterRow(firstRow + 24u);
  let row7 = filterRow(firstRow + 28u);
  let z0 = vec4i(row0.reach.x, row1.reach.x, row2.reach.x, row3.reach.x);
  let y0 = vec4i(row0.reach.y, row1.reach.y, row2.reach.y, row3.reach.y);
  let x0 = vec4i(row0.reach.z, row1.reach.z, row2.reach.z, row3.reach.z);
  let at0 = vec4u(row0.at, row1.at, row2.at, row3.at) + base;
  let z1 = vec4i(row4.reach.x, row5.reach.x, row6.reach.x, row7.reach.x);
  let y1 = vec4i(row4.reach.y, row5.reach.y, row6.reach.y, row7.reach.y);
  let x1 = vec4i(row4.reach.z, row5.reach.z, row6.reach.z, row7.reach.z);
  let at1 = vec4u(row4.at, row5.at, row6.at, row7.at) + base;
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var sum2_0 = vec4f();
  var sum2_1 = vec4f();
  var sum3_0 = vec4f();
  var sum3_1 = vec4f();
  var sum4_0 = vec4f();
  var sum4_1 = vec4f();
  var sum5_0 = vec4f();
  var sum5_1 = vec4f();
  var sum6_0 = vec4f();
  var sum6_1 = vec4f();
  var sum7_0 = vec4f();
  var sum7_1 = vec4f();
  var sum8_0 = vec4f();
  var sum8_1 = vec4f();
  var sum9_0 = vec4f();
  var sum9_1 = vec4f();
  var sum10_0 = vec4f();
  var sum10_1 = vec4f();
  var sum11_0 = vec4f();
  var sum11_1 = vec4f();
  var sum12_0 = vec4f();
  var sum12_1 = vec4f();
  var sum13_0 = vec4f();
  var sum13_1 = vec4f();
  var sum14_0 = vec4f();
  var sum14_1 = vec4f();
  var sum15_0 = vec4f();
  var sum15_1 = vec4f();
  let width = vec4u(params.source.z);
  let step = params.step.z;
  let stepX = u32(step) * params.channels;
  let stepY = params.filters;
  var pixel = begin;
  while (pixel < end) {
    let line = lineOf(pixel);
    let stop = min(end, pixel + line.length);
    let valid0 = (vec4u(z0 + line.at.x) < vec4u(params.source.x)) & (vec4u(y0 + line.at.y) < vec4u(params.source.y));
    let valid1 = (vec4u(z1 + line.at.x) < vec4u(params.source.x)) & (vec4u(y1 + line.at.y) < vec4u(params.source.y));
    var along = line.at.z;
    var origin = line.origin;
    var py = pixel * stepY;
    for (; pixel < stop; pixel++) {
      let from0 = at0 + origin;
      let right0 = select(vec4f(), vec4f(x[from0.x], x[from0.y], x[from0.z], x[from0.w]), valid0 & (vec4u(x0 + along) < width));
      let from1 = at1 + origin;
      let right1 = select(vec4f(), vec4f(x[from1.x], x[from1.y], x[from1.z], x[from1.w]), valid1 & (vec4u(x1 + along) < width));
      let own0 = dy[py + filterAt0];
      let own1 = dy[py + filterAt1];
      let own2 = dy[py + filterAt2];
      let own3 = dy[py + filterAt3];
      let left0 = vec4f(own0);
      sum0_0 = fma(left0, right0, sum0_0);
      sum0_1 = fma(left0, right1, sum0_1);
      let left1 = vec4f(quadSwapX(own0));
      sum1_0 = fma(left1, right0, sum1_0);
      sum1_1 = fma(left1, right1, sum1_1);
      let left2 = vec4f(quadSwapY(own0));
      sum2_0 = fma(left2, right0, sum2_0);
      sum2_1 = fma(left2, right1, sum2_1);
      let left3 = vec4f(quadSwapDiagonal(own0));
      sum3_0 = fma(left3, right0, sum3_0);
      sum3_1 = fma(left3, right1, sum3_1);
      let left4 = vec4f(own1);
      sum4_0 = fma(left4, right0, sum4_0);
      sum4_1 = fma(left4, right1, sum4_1);
      let left5 = vec4f(quadSwapX(own1));
      sum5_0 = fma(left5, right0, sum5_0);
      sum5_1 = fma(left5, right1, sum5_1);
      let left6 = vec4f(quadSwapY(own1));
      sum6_0 = fma(left6, right0, sum6_0);
      sum6_1 = fma(left6, right1, sum6_1);
      let left7 = vec4f(quadSwapDiagonal(own1));
      sum7_0 = fma(left7, right0, sum7_0);
      sum7_1 = fma(left7, right1, sum7_1);
      let left8 = vec4f(own2);
      sum8_0 = fma(left8, right0, sum8_0);
      sum8_1 = fma(left8, right1, sum8_1);
      let left9 = vec4f(quadSwapX(own2));
      sum9_0 = fma(left9, right0, sum9_0);
      sum9_1 = fma(left9, right1, sum9_1);
      let left10 = vec4f(quadSwapY(own2));
      sum10_0 = fma(left10, right0, sum10_0);
      sum10_1 = fma(left10, right1, sum10_1);
      let left11 = vec4f(quadSwapDiagonal(own2));
      sum11_0 = fma(left11, right0, sum11_0);
      sum11_1 = fma(left11, right1, sum11_1);
      let left12 = vec4f(own3);
      sum12_0 = fma(left12, right0, sum12_0);
      sum12_1 = fma(left12, right1, sum12_1);
      let left13 = vec4f(quadSwapX(own3));
      sum13_0 = fma(left13, right0, sum13_0);
      sum13_1 = fma(left13, right1, sum13_1);
      let left14 = vec4f(quadSwapY(own3));
      sum14_0 = fma(left14, right0, sum14_0);
      sum14_1 = fma(left14, right1, sum14_1);
      let left15 = vec4f(quadSwapDiagonal(own3));
      sum15_0 = fma(left15, right0, sum15_0);
      sum15_1 = fma(left15, right1, sum15_1);
      along += step;
      origin += stepX;
      py += stepY;
    }
  }
  var sums = array<vec4f, 32>(
    sum0_0, sum0_1,
    sum1_0, sum1_1,
    sum2_0, sum2_1,
    sum3_0, sum3_1,
    sum4_0, sum4_1,
    sum5_0, sum5_1,
    sum6_0, sum6_1,
    sum7_0, sum7_1,
    sum8_0, sum8_1,
    sum9_0, sum9_1,
    sum10_0, sum10_1,
    sum11_0, sum11_1,
    sum12_0, sum12_1,
    sum13_0, sum13_1,
    sum14_0, sum14_1,
    sum15_0, sum15_1,
  );
  // Filters that are not there do not count; this also keeps drivers from unrolling the loop.
  let rows = min(params.perGroup - inGroup, 16u);
  for (var i = 0u; i < ((rows + 3u) & ~3u) * 2u; i++) {
    let row = i / 2u;
    let own = inGroup + (row & ~3u) + (lane ^ (row & 3u));
    let first = firstRow + i % 2u * 16u;
    for (var e = 0u; e < 4u; e++) {
      finishFilter(first + e * 4u, base, firstFilter + own, own < params.perGroup, part, begin, end, sums[i][e]);
    }
  }
}
