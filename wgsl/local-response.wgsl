// Local response normalisation along the last axis (Krizhevsky, Sutskever and Hinton, 2012): with
// s[i] = bias + alpha * Σ x[j]² over the channels j with |j - i| <= radius,
//
//   localResponse           y[i] = x[i] * s[i]^-beta, and s
//   localResponseTerms      t[j] = g[j] * x[j] * s[j]^(-beta - 1)
//   localResponseGradient   ∂x[i] = g[i] * s[i]^-beta - 2 alpha beta * x[i] * Σ t[j] over the same window
//
// All tensors are (pixels, channels). An invocation owns eight neighbouring channels of a pixel and writes (`=`) what
// belongs to them. A NaN reaches the channels whose window holds it.

override POWER: u32 = 0u;   // beta: 1 is 0.5, 2 is 0.75, 3 is 1, 0 any
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,      // pixels · eights
  eights: u32,     // channels / 8, rounded up
  channels: u32,
  radius: u32,
  bias: f32,
  alpha: f32,
  beta: f32,
  pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<storage, read_write> scalesOut: array<f32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> termsOut: array<f32>;
@group(0) @binding(4) var<storage, read> terms: array<f32>;
@group(0) @binding(5) var<storage, read_write> sourceGradient: array<f32>;

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

// v with the low 12 bits of its mantissa cleared: products of two such numbers are exact.
fn highPart(v: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(v) & 0xfffff000u);
}

// x^y for finite x > 0 and finite y, after fdlibm's e_powf.c: log2(x) as a sum of two floats, times y, then exp2.
fn powPositive(x: f32, exponent: f32) -> f32 {
  // Beyond 2^40 the result is 0, 1 or infinity for every x.
  let y = clamp(exponent, -1.0995116e12, 1.0995116e12);
  let tiny = x < 1.17549435e-38;
  let bits = bitcast<u32>(select(x, x * 8388608.0, tiny));
  var n = i32(bits >> 23u) - 127 - select(0, 23, tiny);
  let mantissa = bits & 0x007fffffu;
  var ix = mantissa | 0x3f800000u;
  // x = 2^n m with m near 1 or near 3/2.
  let k = mantissa > 0x1cc471u && mantissa < 0x5db3d7u;
  if (mantissa >= 0x5db3d7u) {
    n += 1;
    ix -= 0x00800000u;
  }
  let m = bitcast<f32>(ix);
  let bp = select(1.0, 1.5, k);
  // s = (m - bp) / (m + bp) = sHigh + sLow.
  let u = m - bp;
  let v = 1.0 / (m + bp);
  let s = u * v;
  let sHigh = highPart(s);
  let dHigh = bitcast<f32>((((ix >> 1u) & 0xfffff000u) | 0x20000000u) + 0x00400000u + select(0u, 1u << 21u, k));
  let dLow = m - (dHigh - bp);
  let sLow = v * ((u - sHigh * dHigh) - sHigh * dLow);
  // log(m / bp) = 2 s + 2/3 s^3 + …, as (2/3) s (3 + s^2 + r).
  let s2 = s * s;
  var r = fma(2.0697501302e-01, s2, 2.3066075146e-01);
  r = fma(r, s2, 2.7272811532e-01);
  r = fma(r, s2, 3.3333334327e-01);
  r = fma(r, s2, 4.2857143283e-01);
  r = fma(r, s2, 6.0000002384e-01);
  r = fma(s2 * s2, r, sLow * (sHigh + s));
  let square = sHigh * sHigh;
  let tHigh = highPart(3.0 + square + r);
  let tLow = r - ((tHigh - 3.0) - square);
  let a = sHigh * tHigh;
  let b = sLow * tHigh + tLow * s;
  let pHigh = highPart(a + b);
  let pLow = b - (pHigh - a);
  // times 2 / (3 ln 2) = 0.9619140625 - 1.17368574e-4, plus log2(bp) and n.
  let zHigh = 9.6191406250e-01 * pHigh;
  let zLow = fma(-1.1736857402e-04, pHigh, fma(pLow, 9.6179670095e-01, select(0.0, 1.56322085e-06, k)));
  let logBp = select(0.0, 5.84960938e-01, k);
  let e = f32(n);
  let logHigh = highPart(((zHigh + zLow) + logBp) + e);
  let logLow = zLow - (((logHigh - e) - logBp) - zHigh);
  // y log2(x) = whole + productHigh + productLow.
  let yHigh = highPart(y);
  let productLow = (y - yHigh) * logHigh + y * logLow;
  let productHigh = yHigh * logHigh;
  let total = productHigh + productLow;
  if (total >= 129.0) { return infF32(); }
  if (total <= -151.0) { return 0.0; }
  let whole = round(total);
  let rest = (productHigh - whole) + productLow;
  let restLow = productLow - (rest - (productHigh - whole));
  let power = 1.0 + expm1Small(fma(rest, 0.693147181, restLow * 0.693147181));
  let shift = i32(whole);
  let half = shift >> 1u;
  return power * exp2Int(half) * exp2Int(shift - half);
}

// x^y with the corner cases of JavaScript's Math.pow.
fn powF32(x: f32, y: f32) -> f32 {
  if (isNan(y)) { return y; }
  if (y == 0.0) { return 1.0; }
  if (isNan(x)) { return x; }
  let a = abs(x);
  if (!isFinite(y)) {
    if (a == 1.0) { return nanF32(); }
    return select(0.0, infF32(), (a > 1.0) == (y > 0.0));
  }
  let whole = floor(y) == y;
  let odd = whole && abs(y) < 16777216.0 && floor(y * 0.5) != y * 0.5;
  let negative = (bitcast<u32>(x) >> 31u) == 1u;
  var power: f32;
  if (a < 1.17549435e-38) {
    power = select(infF32(), 0.0, y > 0.0);
  } else if (!isFinite(x)) {
    power = select(0.0, infF32(), y > 0.0);
  } else {
    if (negative && !whole) { return nanF32(); }
    power = powPositive(a, y);
  }
  return select(power, -power, negative && odd);
}

fn negativePower(s: f32) -> f32 {
  switch (POWER) {
    case 1u: { return select(1.0 / sqrt(s), nanF32(), s < 0.0); }
    case 2u: {
      let root = sqrt(s);
      return select(1.0 / (root * sqrt(root)), nanF32(), s < 0.0);
    }
    case 3u: { return 1.0 / s; }
    default: { return powF32(s, -params.beta); }
  }
}

// s^-beta
fn negativePowers(s: vec4f) -> vec4f {
  return vec4f(negativePower(s.x), negativePower(s.y), negativePower(s.z), negativePower(s.w));
}

// s^(-beta - 1)
fn steeperPowers(s: vec4f) -> vec4f {
  if (POWER != 0u) {
    return negativePowers(s) / s;
  }
  // Not through s^-beta, which is infinite where s is and beta < 0.
  let y = -params.beta - 1.0;
  return vec4f(powF32(s.x, y), powF32(s.y, y), powF32(s.z, y), powF32(s.w, y));
}

// Eight neighbouring channels of a pixel; past the last one there are fewer.
struct Eight {
  pixel: u32,    // where the pixel begins
  channel: u32,
}

fn eightOf(index: u32) -> Eight {
  let row = index / params.eights;
  return Eight(row * params.channels, 8u * (index - row * params.eights));
}

// Where four channels from c on lie; the last one stands in for what is missing.
fn placesOf(pixel: u32, c: u32) -> vec4u {
  return pixel + min(c + vec4u(0u, 1u, 2u, 3u), vec4u(params.channels - 1u));
}

fn sourceAt(at: vec4u) -> vec4f {
  return vec4f(source[at.x], source[at.y], source[at.z], source[at.w]);
}

fn scalesAt(at: vec4u) -> vec4f {
  return vec4f(scales[at.x], scales[at.y], scales[at.z], scales[at.w]);
}

fn gradientAt(at: vec4u) -> vec4f {
  return vec4f(gradient[at.x], gradient[at.y], gradient[at.z], gradient[at.w]);
}

// The square of a channel, and the term of one; 0 outside of the pixel, also below 0, where c wraps around.
fn squareAt(pixel: u32, c: u32) -> f32 {
  let x = source[pixel + min(c, params.channels - 1u)];
  return select(0.0, x * x, c < params.channels);
}

fn termAt(pixel: u32, c: u32) -> f32 {
  return select(0.0, terms[pixel + min(c, params.channels - 1u)], c < params.channels);
}

// y and s of the channels from c on.
fn finishResponse(pixel: u32, c: u32, sum: vec4f) {
  let at = placesOf(pixel, c);
  let s = fma(sum, vec4f(params.alpha), vec4f(params.bias));
  let y = sourceAt(at) * negativePowers(s);
  let left = params.channels - c;
  result[at.x] = y.x;
  scalesOut[at.x] = s.x;
  if (left > 1u) {
    result[at.y] = y.y;
    scalesOut[at.y] = s.y;
  }
  if (left > 2u) {
    result[at.z] = y.z;
    scalesOut[at.z] = s.z;
  }
  if (left > 3u) {
    result[at.w] = y.w;
    scalesOut[at.w] = s.w;
  }
}

@compute @workgroup_size(WORKGROUP)
fn localResponse(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let own = eightOf(index);
  // The windows' first channels, then their second ones and so on: each step brings one new value.
  var c = own.channel - params.radius;
  var low = vec4f(
    squareAt(own.pixel, c), squareAt(own.pixel, c + 1u), squareAt(own.pixel, c + 2u), squareAt(own.pixel, c + 3u),
  );
  var high = vec4f(
    squareAt(own.pixel, c + 4u), squareAt(own.pixel, c + 5u), squareAt(own.pixel, c + 6u), squareAt(own.pixel, c + 7u),
  );
  c += 8u;
  var lowSum = low;
  var highSum = high;
  for (var step = 0u; step < 2u * params.radius; step += 1u) {
    low = vec4f(low.yzw, high.x);
    high = vec4f(high.yzw, squareAt(own.pixel, c));
    lowSum += low;
    highSum += high;
    c += 1u;
  }
  finishResponse(own.pixel, own.channel, lowSum);
  if (own.channel + 4u < params.channels) {
    finishResponse(own.pixel, own.channel + 4u, highSum);
  }
}

fn writeTerms(at: vec4u) {
  let t = gradientAt(at) * sourceAt(at) * steeperPowers(scalesAt(at));
  termsOut[at.x] = t.x;
  termsOut[at.y] = t.y;
  termsOut[at.z] = t.z;
  termsOut[at.w] = t.w;
}

@compute @workgroup_size(WORKGROUP)
fn localResponseTerms(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let own = eightOf(index);
  writeTerms(placesOf(own.pixel, own.channel));
  if (own.channel + 4u < params.channels) {
    writeTerms(placesOf(own.pixel, own.channel + 4u));
  }
}

// ∂x of the channels from c on.
fn finishResponseGradient(pixel: u32, c: u32, sum: vec4f) {
  let at = placesOf(pixel, c);
  let direct = gradientAt(at) * negativePowers(scalesAt(at));
  let d = fma(sourceAt(at) * sum, vec4f(-2.0 * params.alpha * params.beta), direct);
  let left = params.channels - c;
  sourceGradient[at.x] = d.x;
  if (left > 1u) {
    sourceGradient[at.y] = d.y;
  }
  if (left > 2u) {
    sourceGradient[at.z] = d.z;
  }
  if (left > 3u) {
    sourceGradient[at.w] = d.w;
  }
}

@compute @workgroup_size(WORKGROUP)
fn localResponseGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let own = eightOf(index);
  // The windows' first channels, then their second ones and so on: each step brings one new value.
  var c = own.channel - params.radius;
  var low = vec4f(
    termAt(own.pixel, c), termAt(own.pixel, c + 1u), termAt(own.pixel, c + 2u), termAt(own.pixel, c + 3u),
  );
  var high = vec4f(
    termAt(own.pixel, c + 4u), termAt(own.pixel, c + 5u), termAt(own.pixel, c + 6u), termAt(own.pixel, c + 7u),
  );
  c += 8u;
  var lowSum = low;
  var highSum = high;
  for (var step = 0u; step < 2u * params.radius; step += 1u) {
    low = vec4f(low.yzw, high.x);
    high = vec4f(high.yzw, termAt(own.pixel, c));
    lowSum += low;
    highSum += high;
    c += 1u;
  }
  finishResponseGradient(own.pixel, own.channel, lowSum);
  if (own.channel + 4u < params.channels) {
    finishResponseGradient(own.pixel, own.channel + 4u, highSum);
  }
}
