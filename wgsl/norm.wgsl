// Euclidean norms over one run of axes: out[o, p, i] = √ Σ over r in part p of in[o, r, i]²
//
//   source  (outer, length, inner)  float32 (RAW), or sums of an earlier stage, two words each
//   result  (outer, parts, inner)   float32 (LAST), or sums; part p covers r in [p·chunk, min((p+1)·chunk, length))
//
// Each element of `result` is written (`=`) by one invocation (normLane), or by invocation 0 of one workgroup (normGroup).
// After Blue (1978), sums of squares are kept in one of three scales, so that none of them over- or underflows where the norm
// does not. Sixteen elements are summed in a tree, and once more in another scale where the sum is too large or small;
// the sums of 16 such blocks are added into a superblock. The order is fixed.

override RAW: bool = true;
override LAST: bool = true;
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,      // outer · parts · inner
  length: u32,
  inner: u32,
  parts: u32,
  chunk: u32,
  pad0: u32,
  pad1: u32,
  pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

var<workgroup> partialSum: array<f32, WORKGROUP>;
var<workgroup> partialScale: array<i32, WORKGROUP>;

// sum · 2^(180 · scale), scale −1, 0 or 1.
struct Squares {
  sum: f32,
  scale: i32,
}

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// 2^e for -126 <= e <= 127.
fn exp2Int(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// Brought to the larger scale; 2^-180 is no float32, so it comes in four factors.
fn plusSquares(a: Squares, b: Squares) -> Squares {
  if (a.scale == b.scale) { return Squares(a.sum + b.sum, a.scale); }
  let scale = max(a.scale, b.scale);
  let f = exp2Int(45 * (a.scale - scale));
  let g = exp2Int(45 * (b.scale - scale));
  return Squares(a.sum * f * f * f * f + b.sum * g * g * g * g, scale);
}

// Four squares, of elements that lie `stride` apart and are multiplied by `factor` first.
fn squares4(at: u32, stride: u32, factor: f32) -> f32 {
  let a = factor * bitcast<f32>(source[at]);
  let b = factor * bitcast<f32>(source[at + stride]);
  let c = factor * bitcast<f32>(source[at + 2u * stride]);
  let d = factor * bitcast<f32>(source[at + 3u * stride]);
  return (a * a + b * b) + (c * c + d * d);
}

// Up to sixteen squares.
fn squares16(at: u32, count: u32, stride: u32, factor: f32) -> f32 {
  if (count == 16u) {
    let a = squares4(at, stride, factor);
    let b = squares4(at + 4u * stride, stride, factor);
    let c = squares4(at + 8u * stride, stride, factor);
    let d = squares4(at + 12u * stride, stride, factor);
    return (a + b) + (c + d);
  }
  var sum = 0.0;
  for (var k = 0u; k < count; k++) {
    let v = factor * bitcast<f32>(source[at + k * stride]);
    sum += v * v;
  }
  return sum;
}

// In the scale in which neither these squares nor a sum of 2^31 of them over- or underflow.
fn squaresOfBlock(at: u32, count: u32, stride: u32) -> Squares {
  if (!RAW) {
    var all = Squares(0.0, -1);
    for (var k = 0u; k < count; k++) {
      let place = 2u * (at + k * stride);
      all = plusSquares(all, Squares(bitcast<f32>(source[place]), bitcast<i32>(source[place + 1u])));
    }
    return all;
  }
  // A second turn, rather than a second call, keeps the code small.
  var scale = 0;
  var sum = 0.0;
  for (var turn = 0u; turn < 2u; turn++) {
    sum = squares16(at, count, stride, exp2Int(-90 * scale));
    if (turn == 1u || (sum >= exp2Int(-90) && sum <= exp2Int(90))) { break; }
    scale = select(-1, 1, sum > 1.0 || isNan(sum));
  }
  return Squares(sum, scale);
}

// Of `count` elements that lie `stride` apart.
fn squaresOfRun(first: u32, count: u32, stride: u32) -> Squares {
  var at = first;
  var left = count;
  var total = Squares(0.0, -1);
  var large = Squares(0.0, -1);
  while (left > 0u) {
    let size = min(left, 16u);
    large = plusSquares(large, squaresOfBlock(at, size, stride));
    at += size * stride;
    left -= size;
    if ((left & 0xf0u) == 0u) {
      total = plusSquares(total, large);
      large = Squares(0.0, -1);
    }
  }
  return total;
}

fn storeNorm(at: u32, v: Squares) {
  if (LAST) {
    let root = sqrt(v.sum) * exp2Int(90 * v.scale);
    result[at] = bitcast<u32>(select(root, v.sum, isNan(v.sum)));
  } else {
    result[2u * at] = bitcast<u32>(v.sum);
    result[2u * at + 1u] = bitcast<u32>(v.scale);
  }
}

@compute @workgroup_size(WORKGROUP)
fn normLane(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) { return; }
  let row = index / params.inner;
  let column = index - row * params.inner;
  let outer = row / params.parts;
  let start = (row - outer * params.parts) * params.chunk;
  let first = (outer * params.length + start) * params.inner + column;
  storeNorm(index, squaresOfRun(first, min(params.chunk, params.length - start), params.inner));
}

@compute @workgroup_size(WORKGROUP)
fn normGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) { return; }
  let row = index / params.inner;
  let column = index - row * params.inner;
  let outer = row / params.parts;
  let start = (row - outer * params.parts) * params.chunk;
  let first = (outer * params.length + start + lane) * params.inner + column;
  let size = min(params.chunk, params.length - start);
  var count = 0u;
  if (lane < size) { count = (size - lane + WORKGROUP - 1u) / WORKGROUP; }
  let own = squaresOfRun(first, count, params.inner * WORKGROUP);
  partialSum[lane] = own.sum;
  partialScale[lane] = own.scale;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = lane + half;
      let both = plusSquares(
        Squares(partialSum[lane], partialScale[lane]),
        Squares(partialSum[other], partialScale[other]),
      );
      partialSum[lane] = both.sum;
      partialScale[lane] = both.scale;
    }
    workgroupBarrier();
  }
  if (lane == 0u) { storeNorm(index, Squares(partialSum[0], partialScale[0])); }
}
