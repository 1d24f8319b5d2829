// Activations of one tensor and their gradients: out[i] = f(x[i]), or g[i] f'(s[i]) with s the input or the output of f.
//
//   activation           binding 1  x    (4 count,)  read
//                        binding 2  out  (4 count,)  `=`
//   activationGradient   binding 1  g    (4 count,)  read
//                        binding 2  s    (4 count,)  read
//                        binding 3  out  (4 count,)  `=`
//
// Each invocation owns four neighbours. OP chooses f, p, q and r are its scalars; the codes are those of `activationOps` in
// kernels/activation.ts. What tends to 0 beside an infinity is 0, never NaN: x e^x at -inf, and any gradient where f' is 0.
// A NaN in x or s comes out as NaN. All exponentials are of negative numbers, so that nothing overflows on the way.

override OP: u32 = 0u;

struct Params {
  count: u32,
  p: f32,
  q: f32,
  r: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x4: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y4: array<vec4f>;
@group(0) @binding(1) var<storage, read> g4: array<vec4f>;
@group(0) @binding(2) var<storage, read> s4: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx4: array<vec4f>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// |v| with the sign of s.
fn copySign(v: f32, s: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(v) & 0x7fffffffu) | (bitcast<u32>(s) & 0x80000000u));
}

fn isFinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) < 0x7f800000u;
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

// exp(-a^2 / 2): a^2 is the square of a short number, which is exact, and a small rest.
fn bell(v: f32) -> f32 {
  let a = min(abs(v), 15.0);
  let short = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  return expF32(-0.5 * short * short) * (1.0 + expm1Small(-0.5 * (a - short) * (a + short)));
}

// The share of normal numbers below v, and exp(-v^2 / 2). The tail beyond a = |v| is exp(-a^2 / 2) t P(t) with t = 1 / (1 + 0.35 a); P is fitted
// to erfcx for a <= 14.5, within 3.2e-8, and beyond the exponential underflows.
fn normalGate(v: f32) -> vec2f {
  let t = 1.0 / fma(0.35, min(abs(v), 15.0), 1.0);
  var p = fma(-0.0291580164, t, 0.144031536);
  p = fma(p, t, -0.25584023);
  p = fma(p, t, 0.159321032);
  p = fma(p, t, -0.0232132222);
  p = fma(p, t, 0.105552845);
  p = fma(p, t, 0.119821208);
  p = fma(p, t, 0.139863525);
  p = fma(p, t, 0.139621306);
  let density = bell(v);
  let tail = density * (t * p);
  return vec2f(select(1.0 - tail, tail, v < 0.0), density);
}

// The argument of the sigmoid in gelu's approximation: 2 sqrt(2 / pi) (x + 0.044715 x^3), for 1 + tanh(u) = 2 sigmoid(2 u).
fn geluArgument(x: f32) -> f32 {
  return x * (1.59576912 * fma(0.044715 * x, x, 1.0));
}

// tanh(softplus(x)) and its derivative, in powers of e = exp(-|x|).
fn mishGate(x: f32) -> vec2f {
  let e = expF32(-abs(x));
  if (x > 0.0) {
    let below = fma(2.0 * e, 1.0 + e, 1.0);
    return vec2f(fma(2.0, e, 1.0) / below, 4.0 * e * e * (1.0 + e) / (below * below));
  }
  let above = e * (e + 2.0);
  let below = above + 2.0;
  return vec2f(above / below, 4.0 * e * (1.0 + e) / (below * below));
}

fn valueAt(x: f32) -> f32 {
  switch (OP) {
    case 0u: { return select(copySign(1.0, x), x / (1.0 + abs(x)), isFinite(x)); }
    case 1u: { return clamp((x + 3.0) / 6.0, 0.0, 1.0); }
    case 2u: { return select(select(x * ((x + 3.0) / 6.0), x, x >= 3.0), 0.0, x <= -3.0); }
    case 3u: { return timesFactor(x, sigmoidF32(x)); }
    case 4u: { return timesFactor(x, normalGate(x).x); }
    case 5u: { return timesFactor(x, sigmoidF32(geluArgument(x))); }
    case 6u: { return timesFactor(x, mishGate(x).x); }
    case 7u: { return select(params.p * expm1F32(x), x, x > 0.0) * params.q; }
    case 8u: { return select(timesFactor(x - params.q, params.p), x, x > params.q); }
    case 9u: { return select(timesFactor(x - params.q, params.p), min(x, params.r), x > params.q); }
    default: { return x; }
  }
}

fn slopeAt(s: f32) -> f32 {
  switch (OP) {
    case 0u: {
      let t = 1.0 / (1.0 + abs(s));
      return t * t;
    }
    case 1u: { return select(0.0, 1.0 / 6.0, abs(s) < 3.0); }
    case 2u: { return select(select(fma(2.0, s, 3.0) / 6.0, 1.0, s >= 3.0), 0.0, s <= -3.0); }
    case 3u: {
      let gate = sigmoidGate(s);
      return gate.x + timesFactor(s, gate.y);
    }
    case 4u: {
      let gate = normalGate(s);
      return gate.x + timesFactor(s, 0.398942280 * gate.y);
    }
    case 5u: {
      let gate = sigmoidGate(geluArgument(s));
      return gate.x + timesFactor(s * (1.59576912 * fma(0.134145 * s, s, 1.0)), gate.y);
    }
    case 6u: {
      let gate = mishGate(s);
      return gate.x + timesFactor(s, gate.y);
    }
    case 7u: { return select(params.p * expF32(s), 1.0, s > 0.0) * params.q; }
    case 8u: { return select(params.p, 1.0, s > params.q); }
    case 9u: { return select(params.p, select(0.0, 1.0, s < params.r), s > params.q); }
    case 10u: { return s * (1.0 - s); }
    case 11u: { return (1.0 - s) * (1.0 + s); }
    case 12u: { return sigmoidF32(s); }
    case 13u: { return sigmoidF32(-s); }
    default: { return 1.0; }
  }
}

fn valueKeepingNan(x: f32) -> f32 {
  return select(valueAt(x), x, isNan(x));
}

fn gradientKeepingNan(g: f32, s: f32) -> f32 {
  return select(timesFactor(g, slopeAt(s)), s, isNan(s));
}

@compute @workgroup_size(64)
fn activation(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let x = x4[i];
  y4[i] = vec4f(valueKeepingNan(x.x), valueKeepingNan(x.y), valueKeepingNan(x.z), valueKeepingNan(x.w));
}

@compute @workgroup_size(64)
fn activationGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let g = g4[i];
  let s = s4[i];
  dx4[i] = vec4f(
    gradientKeepingNan(g.x, s.x),
    gradientKeepingNan(g.y, s.y),
    gradientKeepingNan(g.z, s.z),
    gradientKeepingNan(g.w, s.w),
  );
}
