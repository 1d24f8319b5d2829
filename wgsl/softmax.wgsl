// Softmax family along one axis, in one dispatch. With m = max over r of in[o, r, i] and
// s = Σ over r of exp(in[o, r, i] - m):
//
//   softmax      out[o, r, i] = exp(in[o, r, i] - m) / s
//   logSoftmax   out[o, r, i] = (in[o, r, i] - m) - log s
//   logSumExp    out[o, i]    = m + log s
//
//   source  (outer, length, inner)                        float32
//   result  (outer, length, inner), or (outer, inner) for logSumExp
//
// A column (o, i) belongs to one invocation (softmaxLane) or to one workgroup (softmaxGroup), which writes (`=`)
// all of its outputs. A NaN makes its whole column NaN. Where m is infinite, softmax and logSoftmax are NaN
// (∞ - ∞) and logSumExp is m.

override KIND: u32 = 0u;   // 0 softmax, 1 logSoftmax, 2 logSumExp
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,   // outer · inner
  length: u32,
  inner: u32,
  pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

var<workgroup> partial: array<f32, WORKGROUP>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn infF32() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

fn nanF32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

// 2^e for -126 <= e <= 127.
fn exp2Int(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// v - k ln 2 in two steps, of which the first is exact. The max changes nothing: it keeps drivers (Mesa) from merging
// the two products into one by k * (a + b), which costs 5 bits.
fn reduceLn2(v: f32, k: f32) -> f32 {
  return fma(k, 2.12194440e-4, max(fma(k, -0.693359375, v), -1.0e9));
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

// log(1 + f) + e ln 2 for sqrt(1/2) <= 1 + f < sqrt(2).
fn logCore(f: f32, e: f32) -> f32 {
  var p = fma(7.0376836292e-2, f, -1.1514610310e-1);
  p = fma(p, f, 1.1676998740e-1);
  p = fma(p, f, -1.2420140846e-1);
  p = fma(p, f, 1.4249322787e-1);
  p = fma(p, f, -1.6668057665e-1);
  p = fma(p, f, 2.0000714765e-1);
  p = fma(p, f, -2.4999993993e-1);
  p = fma(p, f, 3.3333331174e-1);
  let z = f * f;
  var y = p * f * z;
  y = fma(e, -2.12194440e-4, y);
  y = fma(z, -0.5, y);
  return fma(e, 0.693359375, f + y);
}

fn logF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  if (v < 0.0) { return nanF32(); }
  if (bitcast<u32>(v) == 0x7f800000u) { return v; }
  let tiny = v < 1.17549435e-38;
  let bits = bitcast<u32>(select(v, v * 8388608.0, tiny));
  if ((bits & 0x7fffffffu) < 0x00800000u) { return -infF32(); }
  // The mantissa is taken from [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
  let shifted = bits - 0x3f3504f3u;
  let e = bitcast<i32>(shifted) >> 23u;
  let m = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  return logCore(m - 1.0, f32(e) - select(0.0, 23.0, tiny));
}

fn isInfinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) == 0x7f800000u;
}

// The larger, or the NaN, of two numbers.
fn larger(a: f32, b: f32) -> f32 {
  return select(select(b, a, a >= b || isNan(a)), b, isNan(b));
}

// The elements of a column that an invocation walks: `count` of them from `first`, `stride` words apart.
struct Walk {
  first: u32,
  count: u32,
  stride: u32,
}

// Every `lanes`-th element of column `index`, from the lane-th on.
fn walkOf(index: u32, lane: u32, lanes: u32) -> Walk {
  let outer = index / params.inner;
  let column = index - outer * params.inner;
  var count = 0u;
  if (lane < params.length) {
    count = (params.length - lane + lanes - 1u) / lanes;
  }
  return Walk((outer * params.length + lane) * params.inner + column, count, lanes * params.inner);
}

fn largestOf(walk: Walk) -> f32 {
  var largest = -infF32();
  var at = walk.first;
  for (var k = 0u; k < walk.count; k++) {
    largest = larger(largest, source[at]);
    at += walk.stride;
  }
  return largest;
}

// Σ exp(x - largest), in blocks of 16 and superblocks of 256 to keep the rounding error small.
fn sumOf(walk: Walk, largest: f32) -> f32 {
  var at = walk.first;
  var left = walk.count;
  var total = 0.0;
  while (left > 0u) {
    var large = 0.0;
    var inLarge = min(left, 256u);
    left -= inLarge;
    while (inLarge > 0u) {
      var block = 0.0;
      let inBlock = min(inLarge, 16u);
      for (var k = 0u; k < inBlock; k++) {
        block += expF32(source[at] - largest);
        at += walk.stride;
      }
      inLarge -= inBlock;
      large += block;
    }
    total += large;
  }
  return total;
}

// Writes the outputs that belong to the elements of `walk`.
fn write(walk: Walk, largest: f32, sum: f32) {
  let undefinedColumn = isNan(largest) || isInfinite(largest);
  let logSum = logF32(sum);
  var at = walk.first;
  for (var k = 0u; k < walk.count; k++) {
    let centred = source[at] - largest;
    var y: f32;
    if (KIND == 0u) {
      y = expF32(centred) / sum;
    } else {
      y = centred - logSum;
    }
    result[at] = select(y, nanF32(), undefinedColumn);
    at += walk.stride;
  }
}

fn logSumExp(largest: f32, sum: f32) -> f32 {
  return select(largest + logF32(sum), largest, isNan(largest) || isInfinite(largest));
}

@compute @workgroup_size(WORKGROUP)
fn softmaxLane(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let walk = walkOf(index, 0u, 1u);
  let largest = largestOf(walk);
  let sum = sumOf(walk, largest);
  if (KIND == 2u) {
    result[index] = logSumExp(largest, sum);
  } else {
    write(walk, largest, sum);
  }
}

@compute @workgroup_size(WORKGROUP)
fn softmaxGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let walk = walkOf(index, lane, WORKGROUP);
  partial[lane] = largestOf(walk);
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] = larger(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  let largest = partial[0];
  workgroupBarrier();
  partial[lane] = sumOf(walk, largest);
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let sum = partial[0];
  if (KIND != 2u) {
    write(walk, largest, sum);
  } else if (lane == 0u) {
    result[index] = logSumExp(largest, sum);
  }
}
