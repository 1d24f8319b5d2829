// The gradients of softmax and of its logarithm along one axis, in one dispatch, from the outputs y and their gradients
// g. With sums over r of a column (o, i):
//
//   softmax      ∂x[o, r, i] = y (g - Σ g y)
//   logSoftmax   ∂x[o, r, i] = g - exp(y) Σ g
//
//   output, gradient, result   (outer, length, inner)   float32
//
// A column belongs to one invocation (gradientLane) or to one workgroup (gradientGroup), which writes (`=`) all of it.
// Every 32 elements make a block of the sum, so that the rounding error does not grow with the full number.

override LOGARITHM: bool = false;
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,   // outer · inner
  length: u32,
  inner: u32,
  pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> output: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

var<workgroup> partial: array<f32, WORKGROUP>;

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

// Every `lanes`-th element of a column, from the lane-th on: where they begin, how many, and how far apart.
struct Walk {
  first: u32,
  count: u32,
  stride: u32,
}

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

fn outputAt(at: vec4u) -> vec4f {
  return vec4f(output[at.x], output[at.y], output[at.z], output[at.w]);
}

fn gradientAt(at: vec4u) -> vec4f {
  return vec4f(gradient[at.x], gradient[at.y], gradient[at.z], gradient[at.w]);
}

// What four elements add to the sum of their column.
fn terms(at: vec4u) -> vec4f {
  let g = gradientAt(at);
  if (LOGARITHM) {
    return g;
  }
  return g * outputAt(at);
}

fn columnSum(walk: Walk) -> f32 {
  var at = walk.first;
  var left = walk.count;
  var total = vec4f(0.0);
  var block = vec4f(0.0);
  while (left > 0u) {
    let missing = vec4u(0u, 1u, 2u, 3u) >= vec4u(left);
    block += select(terms(at + offsetsOf(left, walk.stride)), vec4f(0.0), missing);
    at += 4u * walk.stride;
    left -= min(left, 4u);
    let ends = (left & 28u) == 0u;
    total += select(vec4f(0.0), block, ends);
    block = select(block, vec4f(0.0), ends);
  }
  total += block;
  return (total.x + total.y) + (total.z + total.w);
}

fn columnGradient(at: vec4u, sum: f32) -> vec4f {
  let g = gradientAt(at);
  let y = outputAt(at);
  if (!LOGARITHM) {
    return y * (g - sum);
  }
  // expNegative takes a NaN for -inf.
  let isNumber = (bitcast<vec4u>(y) & vec4u(0x7fffffffu)) <= vec4u(0x7f800000u);
  return g - select(y, expNegative(y), isNumber) * sum;
}

fn writeColumn(walk: Walk, sum: f32) {
  var at = walk.first;
  var left = walk.count;
  while (left > 0u) {
    let to = at + offsetsOf(left, walk.stride);
    let d = columnGradient(to, sum);
    result[to.x] = d.x;
    result[to.y] = d.y;
    result[to.z] = d.z;
    result[to.w] = d.w;
    at += 4u * walk.stride;
    left -= min(left, 4u);
  }
}

@compute @workgroup_size(WORKGROUP)
fn gradientLane(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let walk = walkOf(index, 0u, 1u);
  writeColumn(walk, columnSum(walk));
}

@compute @workgroup_size(WORKGROUP)
fn gradientGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let walk = walkOf(index, lane, WORKGROUP);
  partial[lane] = columnSum(walk);
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  writeColumn(walk, partial[0]);
}
