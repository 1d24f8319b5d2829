// dw[tap, c, f] = Σ_n,o x[n, o * stride - before + tap * dilation, c] · dy[n, o, f]: the filter gradient of convolution.
//
//   binding 1   x     (batch, ...source, channels)   read    zero beyond its edges
//   binding 2   dy    (batch, ...out, filters)       read
//   binding 3   dw    (taps, depth, filters), or (parts, taps, depth, filters) of partial sums    write
//
// It is a product of matrices: the rows are the pairs (tap, channel of the group), the columns are the filters, and the long
// sum runs over the pixels of dy, all images in a row. That sum is cut into parts, in a fixed order, for accuracy and for
// devices with many cores. Invocation `lane` of a workgroup owns 8 rows of 4 filters of one group, LANES apart
// (`filter4`), or of 1 filter of any group (`filter1`), and writes them with `=`, or adds to them where a long sum takes
// several dispatches. `addParts`: invocation i owns element i of dw.
//
// What lies outside of x is loaded from address 0 and counts as 0. Since 0 · Inf is NaN, a sum that comes out as NaN is done
// again by `plainFilterSum`, which leaves the padding out.

override LANES: u32 = 8u;

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

// From here on the text is this file's own; scripts/conv-siblings.ts copies what stands above.

@compute @workgroup_size(LANES)
fn filter4(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let lineNumber = number / params.tilesN;
  let firstRow = lineNumber % params.tiles * 8u;
  let block = lineNumber / params.tiles;
  let group = block / params.parts;
  let part = block % params.parts;
  let inGroup = number % params.tilesN * 4u * LANES + lane;
  let offsets = min(vec4u(inGroup) + vec4u(0u, LANES, 2u * LANES, 3u * LANES), vec4u(params.perGroup - 1u));
  let columns = offsets + vec4u(group * params.perGroup);
  let base = group * params.depth;
  let begin = params.first + part * params.partLength;
  let end = min(params.last, begin + params.partLength);
  let row0 = filterRow(firstRow + 0u);
  let row1 = filterRow(firstRow + 1u);
  let row2 = filterRow(firstRow + 2u);
  let row3 = filterRow(firstRow + 3u);
  let row4 = filterRow(firstRow + 4u);
  let row5 = filterRow(firstRow + 5u);
  let row6 = filterRow(firstRow + 6u);
  let row7 = filterRow(firstRow + 7u);
  let zLow = vec4i(row0.reach.x, row1.reach.x, row2.reach.x, row3.reach.x);
  let yLow = vec4i(row0.reach.y, row1.reach.y, row2.reach.y, row3.reach.y);
  let xLow = vec4i(row0.reach.z, row1.reach.z, row2.reach.z, row3.reach.z);
  let atLow = vec4u(row0.at, row1.at, row2.at, row3.at) + base;
  let zHigh = vec4i(row4.reach.x, row5.reach.x, row6.reach.x, row7.reach.x);
  let yHigh = vec4i(row4.reach.y, row5.reach.y, row6.reach.y, row7.reach.y);
  let xHigh = vec4i(row4.reach.z, row5.reach.z, row6.reach.z, row7.reach.z);
  let atHigh = vec4u(row4.at, row5.at, row6.at, row7.at) + base;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  var sum4 = vec4f();
  var sum5 = vec4f();
  var sum6 = vec4f();
  var sum7 = vec4f();
  var pixel = begin;
  while (pixel < end) {
    let line = lineOf(pixel);
    let stop = min(end, pixel + line.length);
    let lineLow = (vec4u(zLow + line.at.x) < vec4u(params.source.x)) & (vec4u(yLow + line.at.y) < vec4u(params.source.y));
    let lineHigh = (vec4u(zHigh + line.at.x) < vec4u(params.source.x)) & (vec4u(yHigh + line.at.y) < vec4u(params.source.y));
    var atX = line.at.z;
    var origin = line.origin;
    for (; pixel < stop; pixel++) {
      let atY = pixel * params.filters;
      let right = vec4f(dy[atY + columns.x], dy[atY + columns.y], dy[atY + columns.z], dy[atY + columns.w]);
      let validLow = lineLow & (vec4u(xLow + atX) < vec4u(params.source.z));
      let fromLow = select(vec4u(), atLow + origin, validLow);
      let low = select(vec4f(), vec4f(x[fromLow.x], x[fromLow.y], x[fromLow.z], x[fromLow.w]), validLow);
      let validHigh = lineHigh & (vec4u(xHigh + atX) < vec4u(params.source.z));
      let fromHigh = select(vec4u(), atHigh + origin, validHigh);
      let high = select(vec4f(), vec4f(x[fromHigh.x], x[fromHigh.y], x[fromHigh.z], x[fromHigh.w]), validHigh);
      sum0 = fma(vec4f(low.x), right, sum0);
      sum1 = fma(vec4f(low.y), right, sum1);
      sum2 = fma(vec4f(low.z), right, sum2);
      sum3 = fma(vec4f(low.w), right, sum3);
      sum4 = fma(vec4f(high.x), right, sum4);
      sum5 = fma(vec4f(high.y), right, sum5);
      sum6 = fma(vec4f(high.z), right, sum6);
      sum7 = fma(vec4f(high.w), right, sum7);
      atX += params.step.z;
      origin += u32(params.step.z) * params.channels;
    }
  }
  let sums = array<vec4f, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
  for (var e = 0u; e < 32u; e++) {
    let inside = inGroup + (e % 4u) * LANES < params.perGroup;
    finishFilter(firstRow + e / 4u, base, columns[e % 4u], inside, part, begin, end, sums[e / 4u][e % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn filter1(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let lineNumber = number / params.tilesN;
  let firstRow = lineNumber % params.tiles * 8u;
  let part = lineNumber / params.tiles;
  let wanted = number % params.tilesN * LANES + lane;
  let column = min(wanted, params.filters - 1u);
  let group = column / params.perGroup;
  let base = group * params.depth;
  let begin = params.first + part * params.partLength;
  let end = min(params.last, begin + params.partLength);
  let row0 = filterRow(firstRow + 0u);
  let row1 = filterRow(firstRow + 1u);
  let row2 = filterRow(firstRow + 2u);
  let row3 = filterRow(firstRow + 3u);
  let row4 = filterRow(firstRow + 4u);
  let row5 = filterRow(firstRow + 5u);
  let row6 = filterRow(firstRow + 6u);
  let row7 = filterRow(firstRow + 7u);
  let zLow = vec4i(row0.reach.x, row1.reach.x, row2.reach.x, row3.reach.x);
  let yLow = vec4i(row0.reach.y, row1.reach.y, row2.reach.y, row3.reach.y);
  let xLow = vec4i(row0.reach.z, row1.reach.z, row2.reach.z, row3.reach.z);
  let atLow = vec4u(row0.at, row1.at, row2.at, row3.at) + base;
  let zHigh = vec4i(row4.reach.x, row5.reach.x, row6.reach.x, row7.reach.x);
  let yHigh = vec4i(row4.reach.y, row5.reach.y, row6.reach.y, row7.reach.y);
  let xHigh = vec4i(row4.reach.z, row5.reach.z, row6.reach.z, row7.reach.z);
  let atHigh = vec4u(row4.at, row5.at, row6.at, row7.at) + base;
  var sum0 = 0.0;
  var sum1 = 0.0;
  var sum2 = 0.0;
  var sum3 = 0.0;
  var sum4 = 0.0;
  var sum5 = 0.0;
  var sum6 = 0.0;
  var sum7 = 0.0;
  var pixel = begin;
  while (pixel < end) {
    let line = lineOf(pixel);
    let stop = min(end, pixel + line.length);
    let lineLow = (vec4u(zLow + line.at.x) < vec4u(params.source.x)) & (vec4u(yLow + line.at.y) < vec4u(params.source.y));
    let lineHigh = (vec4u(zHigh + line.at.x) < vec4u(params.source.x)) & (vec4u(yHigh + line.at.y) < vec4u(params.source.y));
    var atX = line.at.z;
    var origin = line.origin;
    for (; pixel < stop; pixel++) {
      let atY = pixel * params.filters;
      let right = dy[atY + column];
      let validLow = lineLow & (vec4u(xLow + atX) < vec4u(params.source.z));
      let fromLow = select(vec4u(), atLow + origin, validLow);
      let low = select(vec4f(), vec4f(x[fromLow.x], x[fromLow.y], x[fromLow.z], x[fromLow.w]), validLow);
      let validHigh = lineHigh & (vec4u(xHigh + atX) < vec4u(params.source.z));
      let fromHigh = select(vec4u(), atHigh + origin, validHigh);
      let high = select(vec4f(), vec4f(x[fromHigh.x], x[fromHigh.y], x[fromHigh.z], x[fromHigh.w]), validHigh);
      sum0 = fma(low.x, right, sum0);
      sum1 = fma(low.y, right, sum1);
      sum2 = fma(low.z, right, sum2);
      sum3 = fma(low.w, right, sum3);
      sum4 = fma(high.x, right, sum4);
      sum5 = fma(high.y, right, sum5);
      sum6 = fma(high.z, right, sum6);
      sum7 = fma(high.w, right, sum7);
      atX += params.step.z;
      origin += u32(params.step.z) * params.channels;
    }
  }
  let sums = array<f32, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
  for (var e = 0u; e < 8u; e++) {
    finishFilter(firstRow + e, base, column, wanted < params.filters, part, begin, end, sums[e]);
  }
}

@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;

@compute @workgroup_size(64)
fn addParts(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (id.x + id.y * count.x) * 64u + lane;
  if (i >= params.elements) { return; }
  var sum = 0.0;
  if (params.adds != 0u) { sum = total[i]; }
  for (var part = 0u; part < params.parts; part++) { sum += partial[part * params.elements + i]; }
  total[i] = sum;
}
