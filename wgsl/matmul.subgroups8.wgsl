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
// numbers around. Rows and columns beyond the edge are clamped: their sums are those of the last row or column, bit for
// bit, and are stored in its place.

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

@compute @workgroup_size(8)
fn matmulSubgroups(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let tile = locate(group);
  let m = params.m;
  let n = params.n;
  let row = tile.m * 16u;
  let column = tile.n * 32u + lane;
  let row0 = min(row + lane + 0u, m - 1u);
  let row1 = min(row + lane + 8u, m - 1u);
  let columns = min(vec4u(column) + vec4u(0u, 8u, 16u, 24u), vec4u(n - 1u));
  let rowAt0 = row0 * params.strideAm;
  let rowAt1 = row1 * params.strideAm;
  let columnAt0 = columns.x * params.strideBn;
  let columnAt1 = columns.y * params.strideBn;
  let columnAt2 = columns.z * params.strideBn;
  let columnAt3 = columns.w * params.strideBn;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  var sum4 = vec4f();
  var sum5 = vec4f();
  var sum6 = vec4f();
  var sum7 = vec4f();
  var sum8 = vec4f();
  var sum9 = vec4f();
  var sum10 = vec4f();
  var sum11 = vec4f();
  var sum12 = vec4f();
  var sum13 = vec4f();
  var sum14 = vec4f();
  var sum15 = vec4f();
  let stepA = params.strideAk;
  let stepB = params.strideBk;
  var pa = tile.a + tile.kBegin * stepA;
  var pb = tile.b + tile.kBegin * stepB;
  var k = tile.kBegin;
  for (; k < tile.kEnd; k++) {
    let a0 = a[pa + rowAt0];
    let a1 = a[pa + rowAt1];
    let right = vec4f(b[pb + columnAt0], b[pb + columnAt1], b[pb + columnAt2], b[pb + columnAt3]);
    sum0 = fma(right, vec4f(subgroupBroadcast(a0, 0u)), sum0);
    sum1 = fma(right, vec4f(subgroupBroadcast(a0, 1u)), sum1);
    sum2 = fma(right, vec4f(subgroupBroadcast(a0, 2u)), sum2);
    sum3 = fma(right, vec4f(subgroupBroadcast(a0, 3u)), sum3);
    sum4 = fma(right, vec4f(subgroupBroadcast(a0, 4u)), sum4);
    sum5 = fma(right, vec4f(subgroupBroadcast(a0, 5u)), sum5);
    sum6 = fma(right, vec4f(subgroupBroadcast(a0, 6u)), sum6);
    sum7 = fma(right, vec4f(subgroupBroadcast(a0, 7u)), sum7);
    sum8 = fma(right, vec4f(subgroupBroadcast(a1, 0u)), sum8);
    sum9 = fma(right, vec4f(subgroupBroadcast(a1, 1u)), sum9);
    sum10 = fma(right, vec4f(subgroupBroadcast(a1, 2u)), sum10);
    sum11 = fma(right, vec4f(subgroupBroadcast(a1, 3u)), sum11);
    sum12 = fma(right, vec4f(subgroupBroadcast(a1, 4u)), sum12);
    sum13 = fma(right, vec4f(subgroupBroadcast(a1, 5u)), sum13);
    sum14 = fma(right, vec4f(subgroupBroadcast(a1, 6u)), sum14);
    sum15 = fma(right, vec4f(subgroupBroadcast(a1, 7u)), sum15);
    pa += stepA;
    pb += stepB;
  }

  var biasOfRow0 = 0.0;
  var biasOfRow1 = 0.0;
  var biasOfColumns = vec4f();
  if (params.hasBias * params.strideBiasM != 0u) {
    biasOfRow0 = bias[row0];
    biasOfRow1 = bias[row1];
  }
  if (params.hasBias * params.strideBiasN != 0u) {
    biasOfColumns = vec4f(bias[columns.x], bias[columns.y], bias[columns.z], bias[columns.w]);
  }
  let relu = vec4<bool>(params.activation == 1u);
  let stepM = params.strideOutM;
  let columnOut = columns * params.strideOutN;
  {
    let r = min(row + 0u, m - 1u);
    let s = sum0 + biasOfColumns + subgroupBroadcast(biasOfRow0, 0u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 1u, m - 1u);
    let s = sum1 + biasOfColumns + subgroupBroadcast(biasOfRow0, 1u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 2u, m - 1u);
    let s = sum2 + biasOfColumns + subgroupBroadcast(biasOfRow0, 2u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 3u, m - 1u);
    let s = sum3 + biasOfColumns + subgroupBroadcast(biasOfRow0, 3u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 4u, m - 1u);
    let s = sum4 + biasOfColumns + subgroupBroadcast(biasOfRow0, 4u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 5u, m - 1u);
    let s = sum5 + biasOfColumns + subgroupBroadcast(biasOfRow0, 5u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 6u, m - 1u);
    let s = sum6 + biasOfColumns + subgroupBroadcast(biasOfRow0, 6u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 7u, m - 1u);
    let s = sum7 + biasOfColumns + subgroupBroadcast(biasOfRow0, 7u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 8u, m - 1u);
    let s = sum8 + biasOfColumns + subgroupBroadcast(biasOfRow1, 0u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 9u, m - 1u);
    let s = sum9 + biasOfColumns + subgroupBroadcast(biasOfRow1, 1u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 10u, m - 1u);
    let s = sum10 + biasOfColumns + subgroupBroadcast(biasOfRow1, 2u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 11u, m - 1u);
    let s = sum11 + biasOfColumns + subgroupBroadcast(biasOfRow1, 3u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 12u, m - 1u);
    let s = sum12 + biasOfColumns + subgroupBroadcast(biasOfRow1, 4u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 13u, m - 1u);
    let s = sum13 + biasOfColumns + subgroupBroadcast(biasOfRow1, 5u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 14u, m - 1u);
    let s = sum14 + biasOfColumns + subgroupBroadcast(biasOfRow1, 6u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  {
    let r = min(row + 15u, m - 1u);
    let s = sum15 + biasOfColumns + subgroupBroadcast(biasOfRow1, 7u);
    let v = select(s, vec4f(), relu & (s < vec4f()));
    let at = vec4u(tile.out + r * stepM) + columnOut;
    out[at.x] = v.x;
    out[at.y] = v.y;
    out[at.z] = v.z;
    out[at.w] = v.w;
  }
  // In a loop, for it is long and rare. A subgroup runs in step: all sums are stored by now.
  if (params.activation > 1u) {
    for (var i = 0u; i < 64u; i++) {
      let r = row + (i >> 2u);
      let c = column + (i & 3u) * 8u;
      if (r >= m || c >= n) { continue; }
      let at = tile.out + r * stepM + c * params.strideOutN;
      out[at] = activate(out[at]);
    }
  }
}
