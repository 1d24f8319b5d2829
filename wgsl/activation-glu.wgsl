// The gated linear unit: x is (outer, 2, run), its halves a and b, and out = a sigmoid(b).
//
//   glu           binding 1  x    (outer, 2, run)  read
//                 binding 2  out  (outer, run)     `=`
//   gluGradient   binding 1  g    (outer, run)     read
//                 binding 2  x    (outer, 2, run)  read
//                 binding 3  dx   (outer, 2, run)  `=`: g sigmoid(b), then g a sigmoid'(b)
//
// An invocation owns one element of out or g and its two places in x; in the entry points that end in Vectors, where run is a
// multiple of four, it owns four neighbours, and `count` and `run` count vec4s. What the gate closes is 0, also where it is
// infinite; a NaN in a or b comes out as NaN.

struct Params {
  count: u32,
  run: u32,
  multiplier: u32, // ⌊i / run⌋ = mulHigh(2 i, multiplier) >> shift, which divides by 2 run, never by 1
  shift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x4: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y4: array<vec4f>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> s: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> g4: array<vec4f>;
@group(0) @binding(2) var<storage, read> s4: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx4: array<vec4f>;

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

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
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

fn sigmoidF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let e = expF32(-abs(v));
  return select(1.0, e, v < 0.0) / (1.0 + e);
}

// v times a factor that is 0 wherever the product's limit is.
fn timesFactor(v: f32, factor: f32) -> f32 {
  return select(v * factor, 0.0, factor == 0.0);
}

// The sigmoid and its derivative.
fn sigmoidGate(v: f32) -> vec2f {
  let e = expF32(-abs(v));
  let t = 1.0 / (1.0 + e);
  return vec2f(select(t, e * t, v < 0.0), e * t * t);
}

fn gated(a: f32, b: f32) -> f32 {
  return select(timesFactor(a, sigmoidF32(b)), b, isNan(b));
}

// The gradients of a (x) and of b (y).
fn ungated(g: f32, a: f32, b: f32) -> vec2f {
  let gate = sigmoidGate(b);
  let open = timesFactor(g, gate.x);
  let moved = timesFactor(g, timesFactor(a, gate.y));
  return select(select(vec2f(open, moved), vec2f(open, a), isNan(a)), vec2f(b), isNan(b));
}

// Where the first half's element lies that belongs to element i of a half; the second half's lies a run further.
fn inFirstHalf(i: u32) -> u32 {
  return i + (mulHigh(2u * i, params.multiplier) >> params.shift) * params.run;
}

@compute @workgroup_size(64)
fn glu(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let at = inFirstHalf(i);
  y[i] = gated(x[at], x[at + params.run]);
}

@compute @workgroup_size(64)
fn gluVectors(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let at = inFirstHalf(i);
  let a = x4[at];
  let b = x4[at + params.run];
  y4[i] = vec4f(gated(a.x, b.x), gated(a.y, b.y), gated(a.z, b.z), gated(a.w, b.w));
}

@compute @workgroup_size(64)
fn gluGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let at = inFirstHalf(i);
  let gradients = ungated(g[i], s[at], s[at + params.run]);
  dx[at] = gradients.x;
  dx[at + params.run] = gradients.y;
}

@compute @workgroup_size(64)
fn gluGradientVectors(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let at = inFirstHalf(i);
  let d = g4[i];
  let a = s4[at];
  let b = s4[at + params.run];
  let first = ungated(d.x, a.x, b.x);
  let second = ungated(d.y, a.y, b.y);
  let third = ungated(d.z, a.z, b.z);
  let fourth = ungated(d.w, a.w, b.w);
  dx4[at] = vec4f(first.x, second.x, third.x, fourth.x);
  dx4[at + params.run] = vec4f(first.y, second.y, third.y, fourth.y);
}
