// Cross-entropy of independent yes-or-no questions from logits x, and its gradient, with y = keep · wanted + floor:
//
//   losses[i]  = max(x, 0) - x y + log(1 + exp(-|x|))
//   dx[i]      = g[i] (1 / (1 + exp(-x)) - y)
//
//   logits, wanted, losses, g, dx   (4 count,)   float32, the last three elements of which may be padding
//
// An invocation owns four neighbours of losses or dx (`=`). A NaN in x, y or g gives NaN, but a g of 0
// gives 0, since it cuts the path.

override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,
  keep: f32,
  floor: f32,
  unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<vec4f>;
@group(0) @binding(2) var<storage, read> wanted: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> losses: array<vec4f>;
@group(0) @binding(3) var<storage, read> g: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;

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

fn isNan4(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

// log(1 + e) for 0 <= e <= 1; above sqrt(2) - 1 as log 2 + log(1 + (e - 1) / 2).
fn log1pUnit(e: f32) -> f32 {
  let upper = e > 0.414213562;
  return logCore(select(e, 0.5 * (e - 1.0), upper), select(0.0, 1.0, upper));
}

fn targets(i: u32) -> vec4f {
  return fma(wanted[i], vec4f(params.keep), vec4f(params.floor));
}

@compute @workgroup_size(WORKGROUP)
fn binaryCrossEntropy(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (i >= params.count) { return; }
  let x = logits[i];
  let e = expNegative(-abs(x));
  let tail = vec4f(log1pUnit(e.x), log1pUnit(e.y), log1pUnit(e.z), log1pUnit(e.w));
  // In this order a sure and right answer costs exactly 0 before the tail: x y is taken from x itself.
  losses[i] = select((max(x, vec4f(0.0)) - x * targets(i)) + tail, x, isNan4(x));
}

@compute @workgroup_size(WORKGROUP)
fn binaryCrossEntropyGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (i >= params.count) { return; }
  let x = logits[i];
  let e = expNegative(-abs(x));
  let p = select(select(vec4f(1.0), e, x < vec4f(0.0)) / (1.0 + e), x, isNan4(x));
  dx[i] = select(g[i] * (p - targets(i)), vec4f(0.0), g[i] == vec4f(0.0));
}
