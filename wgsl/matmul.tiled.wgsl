// out = activation(A B + bias), tiled through workgroup memory: the sibling of matmul.wgsl for hardware.
//
//   binding 1   a     M x K matrices, batched    read    element (m, k) at m * strideAm + k * strideAk
//   binding 2   b     K x N matrices, batched    read    element (k, n) at k * strideBk + n * strideBn
//   binding 3   bias  (N,), or anything when hasBias is 0    read
//   binding 4   out   (batch, M, N), or (parts, batch, M, N) of partial sums    write
//
// A workgroup owns 64 x 64 elements and walks K in steps of 16; each of its 16 x 16 invocations owns 4 x 4 of them and
// writes them with `=`. Rows and columns beyond the edge are clamped and not stored; beyond the end of k there are zeros.

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

const STEP = 16u;

// One vector holds four neighbouring rows of A (or columns of B) at one k: element [k * 16 + row / 4].
var<workgroup> tileA: array<vec4f, 256>;
var<workgroup> tileB: array<vec4f, 256>;

@compute @workgroup_size(16, 16)
fn matmulTiled(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let tile = locate(group);
  let row = tile.m * 64u;
  let column = tile.n * 64u;
  // Neighbouring invocations load along the axis that is contiguous in memory.
  let loadKA = select(index >> 4u, index & 15u, params.strideAk == 1u);
  let loadRow = select(index & 15u, index >> 4u, params.strideAk == 1u);
  let loadKB = select(index >> 4u, index & 15u, params.strideBk == 1u);
  let loadColumn = select(index & 15u, index >> 4u, params.strideBk == 1u);
  let rows = min(vec4u(row + 4u * loadRow) + vec4u(0u, 1u, 2u, 3u), vec4u(params.m - 1u)) * params.strideAm + tile.a;
  let columns = min(vec4u(column + 4u * loadColumn) + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u)) * params.strideBn + tile.b;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = tile.kBegin; k < tile.kEnd; k += STEP) {
    let atA = rows + min(k + loadKA, tile.kEnd - 1u) * params.strideAk;
    let atB = columns + min(k + loadKB, tile.kEnd - 1u) * params.strideBk;
    let valuesA = vec4f(a[atA.x], a[atA.y], a[atA.z], a[atA.w]);
    let valuesB = vec4f(b[atB.x], b[atB.y], b[atB.z], b[atB.w]);
    workgroupBarrier();
    tileA[loadKA * 16u + loadRow] = select(vec4f(), valuesA, k + loadKA < tile.kEnd);
    tileB[loadKB * 16u + loadColumn] = select(vec4f(), valuesB, k + loadKB < tile.kEnd);
    workgroupBarrier();
    for (var step = 0u; step < STEP; step++) {
      let left = tileA[step * 16u + local.y];
      let right = tileB[step * 16u + local.x];
      sum0 = fma(vec4f(left.x), right, sum0);
      sum1 = fma(vec4f(left.y), right, sum1);
      sum2 = fma(vec4f(left.z), right, sum2);
      sum3 = fma(vec4f(left.w), right, sum3);
    }
  }
  var sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  for (var e = 0u; e < 16u; e++) {
    finish(tile.out, row + 4u * local.y + e / 4u, column + 4u * local.x + e % 4u, sums[e / 4u][e % 4u]);
  }
}
