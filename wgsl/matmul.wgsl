// out = activation(A B + bias), for batches of matrices that broadcast against each other.
//
//   binding 1   a     M x K matrices, batched    read    element (m, k) at m * strideAm + k * strideAk
//   binding 2   b     K x N matrices, batched    read    element (k, n) at k * strideBk + n * strideBn
//   binding 3   bias  (N,), or anything when hasBias is 0    read
//   binding 4   out   (batch, M, N), or (parts, batch, M, N) of partial sums    write
//
// A transposed operand is a matter of strides. Invocation `lane` of a workgroup owns 8 columns, LANES apart, in 8 rows
// (`matmul8`) or in 1 (`matmul1`), and writes them with `=`. Addresses beyond the edge are clamped, so that every load
// is in bounds; what they bring in is not stored. With K in parts, out receives partial sums and `sumParts` adds them in
// order: invocation i owns element i. Siblings: matmul.tiled, matmul.subgroups4, matmul.subgroups8.

override LANES: u32 = 8u;

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

// From here on the text is this file's own; scripts/matmul-siblings.ts copies what stands above.

@compute @workgroup_size(LANES)
fn matmul8(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let tile = locate(group);
  let row = tile.m * 8u;
  let column = tile.n * 8u * LANES + lane;
  let lastRow = params.m - 1u;
  let lastColumn = params.n - 1u;
  let rowAt0 = min(row, lastRow) * params.strideAm;
  let rowAt1 = min(row + 1u, lastRow) * params.strideAm;
  let rowAt2 = min(row + 2u, lastRow) * params.strideAm;
  let rowAt3 = min(row + 3u, lastRow) * params.strideAm;
  let rowAt4 = min(row + 4u, lastRow) * params.strideAm;
  let rowAt5 = min(row + 5u, lastRow) * params.strideAm;
  let rowAt6 = min(row + 6u, lastRow) * params.strideAm;
  let rowAt7 = min(row + 7u, lastRow) * params.strideAm;
  let columnAt0 = min(column, lastColumn) * params.strideBn;
  let columnAt1 = min(column + 1u * LANES, lastColumn) * params.strideBn;
  let columnAt2 = min(column + 2u * LANES, lastColumn) * params.strideBn;
  let columnAt3 = min(column + 3u * LANES, lastColumn) * params.strideBn;
  let columnAt4 = min(column + 4u * LANES, lastColumn) * params.strideBn;
  let columnAt5 = min(column + 5u * LANES, lastColumn) * params.strideBn;
  let columnAt6 = min(column + 6u * LANES, lastColumn) * params.strideBn;
  let columnAt7 = min(column + 7u * LANES, lastColumn) * params.strideBn;
  var low0 = vec4f();
  var high0 = vec4f();
  var low1 = vec4f();
  var high1 = vec4f();
  var low2 = vec4f();
  var high2 = vec4f();
  var low3 = vec4f();
  var high3 = vec4f();
  var low4 = vec4f();
  var high4 = vec4f();
  var low5 = vec4f();
  var high5 = vec4f();
  var low6 = vec4f();
  var high6 = vec4f();
  var low7 = vec4f();
  var high7 = vec4f();
  var pa = tile.a + tile.kBegin * params.strideAk;
  var pb = tile.b + tile.kBegin * params.strideBk;
  for (var k = tile.kBegin; k < tile.kEnd; k++) {
    let low = vec4f(b[pb + columnAt0], b[pb + columnAt1], b[pb + columnAt2], b[pb + columnAt3]);
    let high = vec4f(b[pb + columnAt4], b[pb + columnAt5], b[pb + columnAt6], b[pb + columnAt7]);
    let a0 = vec4f(a[pa + rowAt0]);
    let a1 = vec4f(a[pa + rowAt1]);
    let a2 = vec4f(a[pa + rowAt2]);
    let a3 = vec4f(a[pa + rowAt3]);
    let a4 = vec4f(a[pa + rowAt4]);
    let a5 = vec4f(a[pa + rowAt5]);
    let a6 = vec4f(a[pa + rowAt6]);
    let a7 = vec4f(a[pa + rowAt7]);
    low0 = fma(a0, low, low0);
    high0 = fma(a0, high, high0);
    low1 = fma(a1, low, low1);
    high1 = fma(a1, high, high1);
    low2 = fma(a2, low, low2);
    high2 = fma(a2, high, high2);
    low3 = fma(a3, low, low3);
    high3 = fma(a3, high, high3);
    low4 = fma(a4, low, low4);
    high4 = fma(a4, high, high4);
    low5 = fma(a5, low, low5);
    high5 = fma(a5, high, high5);
    low6 = fma(a6, low, low6);
    high6 = fma(a6, high, high6);
    low7 = fma(a7, low, low7);
    high7 = fma(a7, high, high7);
    pa += params.strideAk;
    pb += params.strideBk;
  }
  var sums = array<vec4f, 16>(
    low0, high0,
    low1, high1,
    low2, high2,
    low3, high3,
    low4, high4,
    low5, high5,
    low6, high6,
    low7, high7,
  );
  for (var e = 0u; e < 64u; e++) {
    finish(tile.out, row + e / 8u, column + (e % 8u) * LANES, sums[e / 4u][e % 4u]);
  }
}

@compute @workgroup_size(LANES)
fn matmul1(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let tile = locate(group);
  let row = tile.m * 1u;
  let column = tile.n * 8u * LANES + lane;
  let lastRow = params.m - 1u;
  let lastColumn = params.n - 1u;
  let rowAt0 = min(row, lastRow) * params.strideAm;
  let columnAt0 = min(column, lastColumn) * params.strideBn;
  let columnAt1 = min(column + 1u * LANES, lastColumn) * params.strideBn;
  let columnAt2 = min(column + 2u * LANES, lastColumn) * params.strideBn;
  let columnAt3 = min(column + 3u * LANES, lastColumn) * params.strideBn;
  let columnAt4 = min(column + 4u * LANES, lastColumn) * params.strideBn;
  let columnAt5 = min(column + 5u * LANES, lastColumn) * params.strideBn;
  let columnAt6 = min(column + 6u * LANES, lastColumn) * params.strideBn;
  let columnAt7 = min(column + 7u * LANES, lastColumn) * params.strideBn;
  var low0 = vec4f();
  var high0 = vec4f();
  var pa = tile.a + tile.kBegin * params.strideAk;
  var pb = tile.b + tile.kBegin * params.strideBk;
  for (var k = tile.kBegin; k < tile.kEnd; k++) {
    let low = vec4f(b[pb + columnAt0], b[pb + columnAt1], b[pb + columnAt2], b[pb + columnAt3]);
    let high = vec4f(b[pb + columnAt4], b[pb + columnAt5], b[pb + columnAt6], b[pb + columnAt7]);
    let a0 = vec4f(a[pa + rowAt0]);
    low0 = fma(a0, low, low0);
    high0 = fma(a0, high, high0);
    pa += params.strideAk;
    pb += params.strideBk;
  }
  var sums = array<vec4f, 2>(
    low0, high0,
  );
  for (var e = 0u; e < 8u; e++) {
    finish(tile.out, row + e / 8u, column + (e % 8u) * LANES, sums[e / 4u][e % 4u]);
  }
}

@group(0) @binding(1) var<storage, read> partial: array<f32>;
@group(0) @binding(2) var<storage, read> partsBias: array<f32>;
@group(0) @binding(3) var<storage, read_write> total: array<f32>;

// Here n is the row length of the result as it is stored, and strideBiasN is 1.
@compute @workgroup_size(64)
fn sumParts(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (id.x + id.y * count.x) * 64u + lane;
  if (i >= params.partStride) { return; }
  var sum = 0.0;
  var at = i;
  for (var part = 0u; part < params.parts; part++) {
    sum += partial[at];
    at += params.partStride;
  }
  if (params.hasBias != 0u) { sum += partsBias[i % params.n]; }
  total[i] = activate(sum);
}
