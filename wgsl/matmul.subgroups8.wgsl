// Written by scripts/matmul-siblings.ts; change it there.
enable subgroups;

// out = activation(A B + bias), for devices whose subgroups have 8 invocations: the sibling of matmul.wgsl.
//
//   binding 1   a     M x K matrices, batched    read    element (m, k) at m * strideAm + k * strideAk
//   binding 2   b     K x N matrices, batched    read    element (k, n) at k * strideBk + n * strideBn
//   binding 3   bias  (N,), or anything when hasBias is 0    read
//   binding 4   out   (batch, M, N), or (parts, batch, M, N) of partial sums    write
//
// A workgroup is one subgroup and owns 16 rows and 32 columns. Lane l owns the columns l + 8 j, j < 4, in all 16
// rows, and writes them with `=`. For each k, lane l loads A in the rows l + 8 g, g < 2, and the lanes pass these
// numbers around. Rows and columns beyond the edge are clamped and not stored.

struct Params {
  m: u32,
  n: u32,
  k: u32,
  groups: u32, // workgroups that have work
  tilesM: u32,
  tilesN: u32,
  parts: u32, // K is cut into so many parts of partLength, each with results of its own
  partLength: u32,
  strideAm: u32,
  strideAk: u32,
  strideBk: u32,
  strideBn: u32,
  strideOutM: u32,
  strideOutN: u32,
  strideBiasM: u32,
  strideBiasN: u32,
  partStride: u32,
  rank: u32, // of the batch
  hasBias: u32,
  activation: u32, // 0 linear, 1 relu, 2 sigmoid, 3 tanh
  extent: array<vec4u, 2>, // of the batch axes
  batchA: array<vec4u, 2>,
  batchB: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// |v| with the sign of s.
fn copySign(v: f32, s: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(v) & 0x7fffffffu) | (bitcast<u32>(s) & 0x80000000u));
}

// 2^e for -126 <= e <= 127.
fn exp2Int(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// exp(r) - 1 for |r| <= ln 2 / 2.
fn expm1Small(r: f32) -> f32 {
  var p = fma(1.9875691500e-4, r, 1.3981999507e-3);
  p = fma(p, r, 8.3334519073e-3);
  p = fma(p, r, 4.1665795894e-2);
  p = fma(p, r, 1.6666665459e-1);
  p = fma(p, r, 5.0000001201e-1);
  return fma(p, r * r, r);
}

// v - k ln 2 in two steps, of which the first is exact. The max changes nothing: it keeps drivers (Mesa) from merging
// the two products into one by k * (a + b), which costs 5 bits.
fn reduceLn2(v: f32, k: f32) -> f32 {
  return fma(k, 2.12194440e-4, max(fma(k, -0.693359375, v), -1.0e9));
}

// exp(v) * 2^shift: v = k ln 2 + r, and 2^(k + shift) in two factors, so that only the result over- or underflows.
fn expScaled(v: f32, shift: i32) -> f32 {
  let x = clamp(v, -104.0, 90.0);
  let k = round(x * 1.44269504);
  let r = reduceLn2(x, k);
  let e = i32(k) + shift;
  let half = e >> 1u;
  let scaled = (1.0 + expm1Small(r)) * exp2Int(half) * exp2Int(e - half);
  return select(scaled, v, isNan(v));
}

fn expF32(v: f32) -> f32 {
  return expScaled(v, 0);
}

fn expm1F32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  if (abs(v) > 20.0) { return expF32(v) - 1.0; }
  let k = round(v * 1.44269504);
  let scale = exp2Int(i32(k));
  return fma(scale, expm1Small(reduceLn2(v, k)), scale - 1.0);
}

fn tanhF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let e = expm1F32(2.0 * min(abs(v), 10.0));
  return copySign(e / (e + 2.0), v);
}

fn sigmoidF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let e = expF32(-abs(v));
  return select(1.0, e, v < 0.0) / (1.0 + e);
}

fn activate(v: f32) -> f32 {
  switch (params.activation) {
    case 1u: { return select(v, 0.0, v < 0.0); }
    case 2u: { return sigmoidF32(v); }
    case 3u: { return tanhF32(v); }
    default: { return v; }
  }
}

// Where a workgroup's tile lies: its number in the grid of tiles, its range of k, and the origins of its matrices.
struct Tile {
  m: u32,
  n: u32,
  kBegin: u32,
  kEnd: u32,
  a: u32,
  b: u32,
  out: u32,
}

fn locate(group: u32) -> Tile {
  let line = group / params.tilesN;
  let block = line / params.tilesM;
  let batch = block / params.parts;
  let part = block % params.parts;
  var rest = batch;
  var offsetA = 0u;
  var offsetB = 0u;
  for (var axis = params.rank; axis > 0u; axis--) {
    let at = axis - 1u;
    let extent = params.extent[at >> 2u][at & 3u];
    let coordinate = rest % extent;
    rest = rest / extent;
    offsetA += coordinate * params.batchA[at >> 2u][at & 3u];
    offsetB += coordinate * params.batchB[at >> 2u][at & 3u];
  }
  let kBegin = part * params.partLength;
  return Tile(
    line % params.tilesM,
    group % params.tilesN,
    kBegin,
    min(params.k, kBegin + params.partLength),
    offsetA,
    offsetB,
    part * params.partStride + batch * params.m * params.n,
  );
}

// Adds the bias, applies the activation, and stores one element; outside of the matrix it does nothing.
fn finish(origin: u32, row: u32, column: u32, sum: f32) {
  if (row >= params.m || column >= params.n) { return; }
  var v = sum;
  if (params.hasBias != 0u) { v += bias[row * params.strideBiasM + column * params.strideBiasN]; }
  out[origin + row * params.strideOutM + column * params.strideOutN] = activate(v);
}

@compute @workgroup_size(8)
fn matmulSubgroups(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let tile = locate(group);
  let row = tile.m * 16u;
  let column = tile.n * 32u + lane;
  let lastRow = params.m - 1u;
  let lastColumn = params.n - 1u;
  let rowAt0 = min(row + lane + 0u, lastRow) * params.strideAm;
  let rowAt1 = min(row + lane + 8u, lastRow) * params.strideAm;
  let columnAt0 = min(column + 0u, lastColumn) * params.strideBn;
  let columnAt1 = min(column + 8u, lastColumn) * params.strideBn;
  let columnAt2 = min(column + 16u, lastColumn) * params.strideBn;
  let columnAt3 = min(column + 24u, lastColumn) * params.strideBn;
  var sum0_0 = 0.0;
  var sum0_1 = 0.0;
  var sum0_2 = 0.0;
  var sum0_3 = 0.0;
  var sum1_0 = 0.0;
  var sum1_1 = 0.0;
  var sum1_2 = 0.0;
  var sum1_3 = 0.0;
  var sum2_0 = 0.0;
  var sum2_1 = 0.0;
  var sum2_2 = 0.0;
  var sum2_3 = 0.0;
  var sum3_0 = 0.0;
  var sum3_1 = 0.0;
  var sum3_2 = 0.0;
  var sum3_3 = 0.0;
  var sum4_0 = 0.0;
  var sum4_1 = 0.0;
  var sum4_2 = 0.0;
  var sum4_3 = 0.0;
  var sum5_0 = 0.0;
  var sum5_1 = 0.0;
  var sum5_2 = 0.0;
  var sum5_3 = 0.0;
  var sum6_0 = 0.0;
  var sum6_1 = 0.0;
  var sum6_2 = 0.0;
  var sum6_3 = 0.0;
  var sum7_0 = 0.0;
  var sum7_1 = 0.0;
  var sum7_2 = 0.0;
  var sum7_3 = 0.0;
  var sum8_0 = 0.0;
  var sum8_1 = 0.0;
  var sum8_2 = 0.0;
  var sum8_3 = 0.0;
  var sum9_0 = 0.0;
  var sum9_1 = 0.0;
  var sum9_2 = 0.0;
  var sum9_3 = 0.0;
  var sum10_0 = 0.0;
  var sum10_1 = 0.0;
  var sum10_2 = 0.0;
  var sum10_3 = 0.0;
  var sum11_0 = 0.0;
  var sum11_1 = 0.0;
  var sum11_2 = 0.0;
  var sum11_3 = 0.0;
  var sum12_0 = 0.0;
  var sum12_1 = 0.0;
  var sum12_2 = 0.0;
  var sum12_3 = 0.0;
  var sum13_0 = 0.0;
  var sum13_1 = 0.0;
  var sum13_2 = 0.0;
  var sum13_3 = 0.0;
  var sum14_0 = 0.0;
  var sum14_1 = 0.0;
  var sum14_2 = 0.0;
  var sum14_3 = 0.0;
  var sum15_0 = 0.0;
  var sum15_1 = 0.0;
  var sum15_2 = 0.0;
  var sum15_3 = 0.0;
  var pa = tile.a + tile.kBegin * params.strideAk;
  var pb = tile.b + tile.kBegin * params.strideBk;
  for (var k = tile.kBegin; k < tile.kEnd; k++) {
    let a0 = a[pa + rowAt0];
    let a1 = a[pa + rowAt1];
    let b0 = b[pb + columnAt0];
    let b1 = b[pb + columnAt1];
    let b2 = b[pb + columnAt2];
    let b3 = b[pb + columnAt3];
    let left0 = subgroupBroadcast(a0, 0u);
    sum0_0 = fma(left0, b0, sum0_0);
    sum0_1 = fma(left0, b1, sum0_1);
    sum0_2 = fma(left0, b2, sum0_2);
    sum0_3 = fma(left0, b3, sum0_3);
    let left1 = subgroupBroadcast(a0, 1u);
    sum1_0 = fma(left1, b0, sum1_0);
    sum1_1 = fma(left1, b1, sum1_1);
    sum1_2 = fma(left1, b2, sum1_2);
    sum1_3 = fma(left1, b3, sum1_3);
    let left2 = subgroupBroadcast(a0, 2u);
    sum2_0 = fma(left2, b0, sum2_0);
    sum2_1 = fma(left2, b1, sum2_1);
    sum2_2 = fma(left2, b2, sum2_2);
    sum2_3 = fma(left2, b3, sum2_3);
    let left3 = subgroupBroadcast(a0, 3u);
    sum3_0 = fma(left3, b0, sum3_0);
    sum3_1 = fma(left3, b1, sum3_1);
    sum3_2 = fma(left3, b2, sum3_2);
    sum3_3 = fma(left3, b3, sum3_3);
    let left4 = subgroupBroadcast(a0, 4u);
    sum4_0 = fma(left4, b0, sum4_0);
    sum4_1 = fma(left4, b1, sum4_1);
    sum4_2 = fma(left4, b2, sum4_2);
    sum4_3 = fma(left4, b3, sum4_3);
    let left5 = subgroupBroadcast(a0, 5u);
    sum5_0 = fma(left5, b0, sum5_0);
    sum5_1 = fma(left5, b1, sum5_1);
    sum5_2 = fma(left5, b2, sum5_2);
    sum5_3 = fma(left5, b3, sum5_3);
    let left6 = subgroupBroadcast(a0, 6u);
    sum6_0 = fma(left6, b0, sum6_0);
    sum6_1 = fma(left6, b1, sum6_1);
    sum6_2 = fma(left6, b2, sum6_2);
    sum6_3 = fma(left6, b3, sum6_3);
    let left7 = subgroupBroadcast(a0, 7u);
    sum7_0 = fma(left7, b0, sum7_0);
    sum7_1 = fma(left7, b1, sum7_1);
    sum7_2 = fma(left7, b2, sum7_2);
    sum7_3 = fma(left7, b3, sum7_3);
    let left8 = subgroupBroadcast(a1, 0u);
    sum8_0 = fma(left8, b0, sum8_0);
    sum8_1 = fma(left8, b1, sum8_1);
    sum8_2 = fma(left8, b2, sum8_2);
    sum8_3 = fma(left8, b3, sum8_3);
    let left9 = subgroupBroadcast(a1, 1u);
    sum9_0 = fma(left9, b0, sum9_0);
    sum9_1 = fma(left9, b1, sum9_1);
    sum9_2 = fma(left9, b2, sum9_2);
    sum9_3 = fma(left9, b3, sum9_3);
    let left10 = subgroupBroadcast(a1, 2u);
    sum10_0 = fma(left10, b0, sum10_0);
    sum10_1 = fma(left10, b1, sum10_1);
    sum10_2 = fma(left10, b2, sum10_2);
    sum10_3 = fma(left10, b3, sum10_3);
    let left11 = subgroupBroadcast(a1, 3u);
    sum11_0 = fma(left11, b0, sum11_0);
    sum11_1 = fma(left11, b1, sum11_1);
    sum11_2 = fma(left11, b2, sum11_2);
    sum11_3 = fma(left11, b3, sum11_3);
    let left12 = subgroupBroadcast(a1, 4u);
    sum12_0 = fma(left12, b0, sum12_0);
    sum12_1 = fma(left12, b1, sum12_1);
    sum12_2 = fma(left12, b2, sum12_2);
    sum12_3 = fma(left12, b3, sum12_3);
    let left13 = subgroupBroadcast(a1, 5u);
    sum13_0 = fma(left13, b0, sum13_0);
    sum13_1 = fma(left13, b1, sum13_1);
    sum13_2 = fma(left13, b2, sum13_2);
    sum13_3 = fma(left13, b3, sum13_3);
    let left14 = subgroupBroadcast(a1, 6u);
    sum14_0 = fma(left14, b0, sum14_0);
    sum14_1 = fma(left14, b1, sum14_1);
    sum14_2 = fma(left14, b2, sum14_2);
    sum14_3 = fma(left14, b3, sum14_3);
    let left15 = subgroupBroadcast(a1, 7u);
    sum15_0 = fma(left15, b0, sum15_0);
    sum15_1 = fma(left15, b1, sum15_1);
    sum15_2 = fma(left15, b2, sum15_2);
    sum15_3 = fma(left15, b3, sum15_3);
    pa += params.strideAk;
    pb += params.strideBk;
  }
  var sums = array<vec4f, 16>(
    vec4f(sum0_0, sum0_1, sum0_2, sum0_3),
    vec4f(sum1_0, sum1_1, sum1_2, sum1_3),
    vec4f(sum2_0, sum2_1, sum2_2, sum2_3),
    vec4f(sum3_0, sum3_1, sum3_2, sum3_3),
    vec4f(sum4_0, sum4_1, sum4_2, sum4_3),
    vec4f(sum5_0, sum5_1, sum5_2, sum5_3),
    vec4f(sum6_0, sum6_1, sum6_2, sum6_3),
    vec4f(sum7_0, sum7_1, sum7_2, sum7_3),
    vec4f(sum8_0, sum8_1, sum8_2, sum8_3),
    vec4f(sum9_0, sum9_1, sum9_2, sum9_3),
    vec4f(sum10_0, sum10_1, sum10_2, sum10_3),
    vec4f(sum11_0, sum11_1, sum11_2, sum11_3),
    vec4f(sum12_0, sum12_1, sum12_2, sum12_3),
    vec4f(sum13_0, sum13_1, sum13_2, sum13_3),
    vec4f(sum14_0, sum14_1, sum14_2, sum14_3),
    vec4f(sum15_0, sum15_1, sum15_2, sum15_3),
  );
  for (var e = 0u; e < 64u; e++) {
    finish(tile.out, row + e / 4u, column + (e % 4u) * 8u, sums[e / 4u][e % 4u]);
  }
}
