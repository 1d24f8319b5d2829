// out = [in0 | in1 | … | in6] along one axis, for any dtype of 32-bit words. All arrays count as matrices of the same
// number of rows: the axes before the joined one make the rows, the joined one and those behind it the columns.
//
//   in0 … in6  (rows, end_p − end_{p−1})   read; an unused one has no columns
//   out        (rows, columns)             `=`; one invocation owns one element (concat), or four neighbours
//                                          (concatQuads, where every end is a multiple of four and counts in fours)
//
// ⌊n / columns⌋ = mulHigh(n, multiplier) >> shift holds for n < 2^31; multiplier 0 stands for a single row.

// 2, 4 or 7: how many parts there may be. Some drivers go through every branch that is left.
override PARTS: u32 = 7u;

struct Params {
  count: u32,
  columns: u32,
  multiplier: u32,
  shift: u32,
  // The column behind the last one of each part.
  end: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> in0: array<u32>;
@group(0) @binding(2) var<storage, read> in1: array<u32>;
@group(0) @binding(3) var<storage, read> in2: array<u32>;
@group(0) @binding(4) var<storage, read> in3: array<u32>;
@group(0) @binding(5) var<storage, read> in4: array<u32>;
@group(0) @binding(6) var<storage, read> in5: array<u32>;
@group(0) @binding(7) var<storage, read> in6: array<u32>;
@group(0) @binding(8) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> quads0: array<vec4u>;
@group(0) @binding(2) var<storage, read> quads1: array<vec4u>;
@group(0) @binding(3) var<storage, read> quads2: array<vec4u>;
@group(0) @binding(4) var<storage, read> quads3: array<vec4u>;
@group(0) @binding(5) var<storage, read> quads4: array<vec4u>;
@group(0) @binding(6) var<storage, read> quads5: array<vec4u>;
@group(0) @binding(7) var<storage, read> quads6: array<vec4u>;
@group(0) @binding(8) var<storage, read_write> out4: array<vec4u>;

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
fn concat(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let row = mulHigh(index, params.multiplier) >> params.shift;
  let column = index - row * params.columns;
  let low = params.end[0];
  let high = params.end[1];
  var value: u32;
  if (column < low.x) {
    value = in0[row * low.x + column];
  } else if (PARTS == 2u || column < low.y) {
    value = in1[row * (low.y - low.x) + (column - low.x)];
  } else if (column < low.z) {
    value = in2[row * (low.z - low.y) + (column - low.y)];
  } else if (PARTS == 4u || column < low.w) {
    value = in3[row * (low.w - low.z) + (column - low.z)];
  } else if (column < high.x) {
    value = in4[row * (high.x - low.w) + (column - low.w)];
  } else if (column < high.y) {
    value = in5[row * (high.y - high.x) + (column - high.x)];
  } else {
    value = in6[row * (high.z - high.y) + (column - high.y)];
  }
  out[index] = value;
}

@compute @workgroup_size(64)
fn concatQuads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let row = mulHigh(index, params.multiplier) >> params.shift;
  let column = index - row * params.columns;
  let low = params.end[0];
  let high = params.end[1];
  var value: vec4u;
  if (column < low.x) {
    value = quads0[row * low.x + column];
  } else if (PARTS == 2u || column < low.y) {
    value = quads1[row * (low.y - low.x) + (column - low.x)];
  } else if (column < low.z) {
    value = quads2[row * (low.z - low.y) + (column - low.y)];
  } else if (PARTS == 4u || column < low.w) {
    value = quads3[row * (low.w - low.z) + (column - low.z)];
  } else if (column < high.x) {
    value = quads4[row * (high.x - low.w) + (column - low.w)];
  } else if (column < high.y) {
    value = quads5[row * (high.y - high.x) + (column - high.x)];
  } else {
    value = quads6[row * (high.z - high.y) + (column - high.y)];
  }
  out4[index] = value;
}
