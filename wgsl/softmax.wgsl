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
// A column (o, i) belongs to one invocation (softmaxLane; softmaxShort for at most 16 elements) or to one workgroup
// (softmaxGroup), which writes (`=`) all of its outputs; softmax keeps its exponentials there in between. A NaN makes
// its whole column NaN. Where m is infinite, softmax and logSoftmax are NaN (∞ - ∞) and logSumExp is m. Software is slow
// in loops, so blocks of 16 are written out.

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

// v - k ln 2 in two steps, of which the first is exact. The max changes nothing: it keeps drivers (Mesa) from merging
// the two products into one by k * (a + b), which costs 5 bits.
fn reduceLn2x4(v: vec4f, k: vec4f) -> vec4f {
  return fma(k, vec4f(2.12194440e-4), max(fma(k, vec4f(-0.693359375), v), vec4f(-1.0e9)));
}

// exp(v) for v <= 0, also -inf; 0 where the result is subnormal. 2^k is made without a shift and without a conversion
// to an integer, which cost SwiftShader 7 and 16 additions: k + 1.5 * 2^23 holds k in its low bits.
fn expNegative(v: vec4f) -> vec4f {
  let x = max(v, vec4f(-87.33654));
  let k = round(x * 1.44269504);
  let r = reduceLn2x4(x, k);
  var p = fma(vec4f(1.9875691500e-4), r, vec4f(1.3981999507e-3));
  p = fma(p, r, vec4f(8.3334519073e-3));
  p = fma(p, r, vec4f(4.1665795894e-2));
  p = fma(p, r, vec4f(1.6666665459e-1));
  p = fma(p, r, vec4f(5.0000001201e-1));
  p = fma(p, r * r, r);
  let power = bitcast<vec4f>(bitcast<vec4u>(k + 12582912.0) * 0x00800000u + vec4u(0x3f800000u));
  return select(fma(p, power, power), vec4f(0.0), v < vec4f(-87.33654));
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

// Where the next four elements of a walk lie; when fewer are left, the last one stands in for what is missing.
fn offsetsOf(left: u32, stride: u32) -> vec4u {
  return min(vec4u(0u, 1u, 2u, 3u), vec4u(left - 1u)) * stride;
}

fn four(at: u32, offsets: vec4u) -> vec4f {
  return vec4f(source[at + offsets.x], source[at + offsets.y], source[at + offsets.z], source[at + offsets.w]);
}

fn put(at: u32, offsets: vec4u, y: vec4f) {
  result[at + offsets.x] = y.x;
  result[at + offsets.y] = y.y;
  result[at + offsets.z] = y.z;
  result[at + offsets.w] = y.w;
}

fn magnitude(v: vec4f) -> vec4u {
  return bitcast<vec4u>(v) & vec4u(0x7fffffffu);
}

// The largest of four, or NaN if one of the bits belongs to a NaN: max() swallows it, but its magnitude is above that
// of infinity.
fn largestOrNan(largest: vec4f, bits: vec4u) -> f32 {
  let top = max(max(bits.x, bits.y), max(bits.z, bits.w));
  return select(max(max(largest.x, largest.y), max(largest.z, largest.w)), nanF32(), top > 0x7f800000u);
}

// The largest element of a walk, or NaN.
fn largestOf(walk: Walk) -> f32 {
  let offsets = vec4u(0u, 1u, 2u, 3u) * walk.stride;
  let quad = 4u * walk.stride;
  var largest = vec4f(-infF32());
  var bits = vec4u(0u);
  var at = walk.first;
  var left = walk.count;
  while (left >= 16u) {
    let a = four(at, offsets);
    let b = four(at + quad, offsets);
    let c = four(at + 2u * quad, offsets);
    let d = four(at + 3u * quad, offsets);
    largest = max(largest, max(max(a, b), max(c, d)));
    bits = max(bits, max(max(magnitude(a), magnitude(b)), max(magnitude(c), magnitude(d))));
    at += 4u * quad;
    left -= 16u;
  }
  while (left >= 4u) {
    let a = four(at, offsets);
    largest = max(largest, a);
    bits = max(bits, magnitude(a));
    at += quad;
    left -= 4u;
  }
  if (left > 0u) {
    let a = four(at, offsetsOf(left, walk.stride));
    largest = max(largest, a);
    bits = max(bits, magnitude(a));
  }
  return largestOrNan(largest, bits);
}

// exp(x - largest) of four elements, which softmax leaves in `result` until it knows the sum.
fn exponentials(at: u32, offsets: vec4u, largest: f32) -> vec4f {
  let e = expNegative(four(at, offsets) - largest);
  if (KIND == 0u) {
    put(at, offsets, e);
  }
  return e;
}

fn total(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

// Σ exp(x - largest), in blocks of 16 and superblocks of 256 to keep the rounding error small; one loop, not two.
fn sumOf(walk: Walk, largest: f32) -> f32 {
  let offsets = vec4u(0u, 1u, 2u, 3u) * walk.stride;
  let quad = 4u * walk.stride;
  var at = walk.first;
  var left = walk.count;
  var sum = 0.0;
  var large = 0.0;
  while (left >= 16u) {
    let a = exponentials(at, offsets, largest);
    let b = exponentials(at + quad, offsets, largest);
    let c = exponentials(at + 2u * quad, offsets, largest);
    let d = exponentials(at + 3u * quad, offsets, largest);
    large += total((a + b) + (c + d));
    at += 4u * quad;
    left -= 16u;
    let ends = (left & 0xf0u) == 0u;
    sum += select(0.0, large, ends);
    large = select(large, 0.0, ends);
  }
  var rest = vec4f(0.0);
  while (left >= 4u) {
    rest += exponentials(at, offsets, largest);
    at += quad;
    left -= 4u;
  }
  if (left > 0u) {
    let e = exponentials(at, offsetsOf(left, walk.stride), largest);
    rest += select(vec4f(0.0), e, vec4u(0u, 1u, 2u, 3u) < vec4u(left));
  }
  return sum + total(rest);
}

// The outputs of four elements: softmax from their exponentials, logSoftmax from themselves.
fn writeFour(at: u32, offsets: vec4u, largest: f32, sum: f32, logSum: f32) {
  if (KIND == 0u) {
    let e = vec4f(result[at + offsets.x], result[at + offsets.y], result[at + offsets.z], result[at + offsets.w]);
    put(at, offsets, e / sum);
  } else {
    put(at, offsets, (four(at, offsets) - largest) - logSum);
  }
}

// The sum of the exponentials, or NaN, which makes all outputs NaN.
fn definedSum(largest: f32, exponentials: f32) -> f32 {
  return select(exponentials, nanF32(), isNan(largest) || isInfinite(largest));
}

// Writes the outputs that belong to the elements of `walk`.
fn write(walk: Walk, largest: f32, exponentials: f32) {
  let sum = definedSum(largest, exponentials);
  let logSum = logF32(sum);
  let offsets = vec4u(0u, 1u, 2u, 3u) * walk.stride;
  let quad = 4u * walk.stride;
  var at = walk.first;
  var left = walk.count;
  while (left >= 16u) {
    writeFour(at, offsets, largest, sum, logSum);
    writeFour(at + quad, offsets, largest, sum, logSum);
    writeFour(at + 2u * quad, offsets, largest, sum, logSum);
    writeFour(at + 3u * quad, offsets, largest, sum, logSum);
    at += 4u * quad;
    left -= 16u;
  }
  while (left >= 4u) {
    writeFour(at, offsets, largest, sum, logSum);
    at += quad;
    left -= 4u;
  }
  if (left > 0u) {
    writeFour(at, offsetsOf(left, walk.stride), largest, sum, logSum);
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

// For columns of at most 16 elements, which stay in registers, without loops. Quad k has the elements 4 k to 4 k + 3;
// the last element stands in for what is missing.
fn quadOf(column: u32, k: u32) -> vec4f {
  return four(column, min(4u * k + vec4u(0u, 1u, 2u, 3u), vec4u(params.length - 1u)) * params.inner);
}

// exp(quad - largest), 0 for what is missing.
fn quadExponentials(quad: vec4f, k: u32, largest: f32) -> vec4f {
  let exists = 4u * k + vec4u(0u, 1u, 2u, 3u) < vec4u(params.length);
  return select(vec4f(0.0), expNegative(quad - largest), exists);
}

fn putQuad(column: u32, k: u32, y: vec4f) {
  let at = column + 4u * k * params.inner;
  if (4u * k < params.length) { result[at] = y.x; }
  if (4u * k + 1u < params.length) { result[at + params.inner] = y.y; }
  if (4u * k + 2u < params.length) { result[at + 2u * params.inner] = y.z; }
  if (4u * k + 3u < params.length) { result[at + 3u * params.inner] = y.w; }
}

@compute @workgroup_size(WORKGROUP)
fn softmaxShort(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let column = walkOf(index, 0u, 1u).first;
  let a = quadOf(column, 0u);
  let b = quadOf(column, 1u);
  let c = quadOf(column, 2u);
  let d = quadOf(column, 3u);
  let bits = max(max(magnitude(a), magnitude(b)), max(magnitude(c), magnitude(d)));
  let largest = largestOrNan(max(max(a, b), max(c, d)), bits);
  let ea = quadExponentials(a, 0u, largest);
  let eb = quadExponentials(b, 1u, largest);
  let ec = quadExponentials(c, 2u, largest);
  let ed = quadExponentials(d, 3u, largest);
  let exponentials = total((ea + eb) + (ec + ed));
  if (KIND == 2u) {
    result[index] = logSumExp(largest, exponentials);
    return;
  }
  let sum = definedSum(largest, exponentials);
  let logSum = logF32(sum);
  let soft = KIND == 0u;
  putQuad(column, 0u, select((a - largest) - logSum, ea / sum, soft));
  putQuad(column, 1u, select((b - largest) - logSum, eb / sum, soft));
  putQuad(column, 2u, select((c - largest) - logSum, ec / sum, soft));
  putQuad(column, 3u, select((d - largest) - logSum, ed / sum, soft));
}
