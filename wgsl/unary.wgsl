// Elementwise functions of one tensor: out[i] = f(in[i]), with f chosen by OP and up to three scalars p, q and r.
//
//   binding 1   values / words                (count,)   read
//   binding 2   results / wordsOut / flags    (count,)   write
//
// `unary` works on f32, and each invocation owns four neighbours; `unaryInt` works on i32 (which wraps), `unaryTest`
// answers a question about an f32 with 0 or 1, and there each invocation owns one element. All write with `=`.
// The codes are those of `unaryOps` in kernels/unary.ts. A driver's own exp, log, sin … are too loose, or lose NaN,
// so every elementary function stands below: polynomials after Cephes and fdlibm, about 2 ulp each.

override OP: u32 = 0u;

struct Params {
  count: u32,
  p: u32, // the bits of an f32, or of an i32 in `unaryInt`
  q: u32,
  r: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> results: array<vec4f>;
@group(0) @binding(1) var<storage, read> words: array<i32>;
@group(0) @binding(2) var<storage, read_write> wordsOut: array<i32>;
@group(0) @binding(2) var<storage, read_write> flags: array<u32>;

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

// Near 0 the series in v itself; elsewhere |log(1 + v)| > 1/3, where the rounding of 1 + v does no harm.
fn log1pF32(v: f32) -> f32 {
  if (v > -0.29 && v < 0.41) { return logCore(v, 0.0); }
  return logF32(1.0 + v);
}

fn sinhF32(v: f32) -> f32 {
  let a = abs(v);
  if (a > 20.0) { return copySign(expScaled(a, -1), v); }
  let e = expm1F32(a);
  return copySign(0.5 * (e + e / (e + 1.0)), v);
}

fn coshF32(v: f32) -> f32 {
  let e = expScaled(abs(v), -1);
  return e + 0.25 / e;
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

// log(1 + exp(v)).
fn softplusF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  return max(v, 0.0) + log1pF32(expF32(-abs(v)));
}

fn asinhF32(v: f32) -> f32 {
  let a = abs(v);
  if (a > 1.0e9) { return copySign(logF32(a) + 0.693147181, v); }
  let z = a * a;
  return copySign(log1pF32(a + z / (1.0 + sqrt(z + 1.0))), v);
}

fn acoshF32(v: f32) -> f32 {
  if (v < 1.0) { return nanF32(); }
  if (v > 1.0e9) { return logF32(v) + 0.693147181; }
  let t = v - 1.0;
  return log1pF32(t + sqrt(t * (t + 2.0)));
}

fn atanhF32(v: f32) -> f32 {
  let a = abs(v);
  if (a > 1.0) { return nanF32(); }
  if (a == 1.0) { return copySign(infF32(), v); }
  return copySign(0.5 * log1pF32(2.0 * a / (1.0 - a)), v);
}

// sin for |r| <= pi / 4.
fn sinSmall(r: f32) -> f32 {
  let z = r * r;
  let p = fma(fma(-1.9515295891e-4, z, 8.3321608736e-3), z, -1.6666654611e-1);
  return fma(p * z, r, r);
}

// cos for |r| <= pi / 4.
fn cosSmall(r: f32) -> f32 {
  let z = r * r;
  let p = fma(fma(2.443315711809948e-5, z, -1.388731625493765e-3), z, 4.166664568298827e-2);
  return fma(p * z, z, fma(-0.5, z, 1.0));
}

// sin(r + quadrant * pi / 2) for |r| <= pi / 4.
fn sinQuadrant(r: f32, quadrant: i32) -> f32 {
  let s = select(sinSmall(r), cosSmall(r), (quadrant & 1) == 1);
  return select(s, -s, (quadrant & 2) == 2);
}

struct Reduced {
  r: f32,
  quadrant: i32,
}

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

// The same for large |v|, after Payne and Hanek: |v| = m 2^e is multiplied by the 96 bits of 2 / pi that decide about
// the quadrant and the fraction; what lies above are whole turns, what lies below is under 2^-70.
fn reduceLarge(v: f32) -> Reduced {
  var digits = array<u32, 8>(
    0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
  );
  let bits = bitcast<u32>(v);
  let m = (bits & 0x007fffffu) | 0x00800000u;
  let start = min(max((bits >> 23u) & 0xffu, 120u), 254u) - 120u;
  let at = start >> 5u;
  let shift = start & 31u;
  var window = vec3u(digits[at], digits[at + 1u], digits[at + 2u]);
  if (shift != 0u) {
    let next = vec3u(digits[at + 1u], digits[at + 2u], digits[at + 3u]);
    window = (window << vec3u(shift)) | (next >> vec3u(32u - shift));
  }
  let low = m * window.y + mulHigh(m, window.z);
  let carry = select(0u, 1u, low < m * window.y);
  let high = m * window.x + mulHigh(m, window.y) + carry;
  // high and low hold |v| 2 / pi modulo 4 in units of 2^-30 and 2^-62; the fraction is taken from [-1/2, 1/2).
  let quadrant = (high + 0x20000000u) >> 30u;
  let fraction = bitcast<i32>(high - (quadrant << 30u));
  let r = (f32(fraction) * 9.31322575e-10 + f32(low) * 2.16840434e-19) * 1.57079633;
  let negative = v < 0.0;
  return Reduced(select(r, -r, negative), select(i32(quadrant), -i32(quadrant), negative));
}

// v = quadrant * pi / 2 + r. The first two parts of pi / 2 are short, so that their products are exact with or without
// a fused fma as long as |v| <= 1e4.
fn reduceHalfPi(v: f32) -> Reduced {
  if (abs(v) > 1.0e4) { return reduceLarge(v); }
  let k = round(v * 0.636619772);
  var r = max(fma(k, -1.5703125, v), -1.0e9); // as in reduceLn2, max keeps the steps apart
  r = max(fma(k, -4.837512969970703125e-4, r), -1.0e9);
  r = fma(k, -7.54978995489188216e-8, r);
  return Reduced(r, i32(k));
}

fn isFinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) < 0x7f800000u;
}

fn sinF32(v: f32) -> f32 {
  let reduced = reduceHalfPi(v);
  return select(nanF32(), sinQuadrant(reduced.r, reduced.quadrant), isFinite(v));
}

fn cosF32(v: f32) -> f32 {
  let reduced = reduceHalfPi(v);
  return select(nanF32(), sinQuadrant(reduced.r, reduced.quadrant + 1), isFinite(v));
}

fn tanF32(v: f32) -> f32 {
  let reduced = reduceHalfPi(v);
  let s = sinSmall(reduced.r);
  let c = cosSmall(reduced.r);
  let odd = (reduced.quadrant & 1) == 1;
  return select(nanF32(), select(s, -c, odd) / select(c, s, odd), isFinite(v));
}

// asin for 0 <= a <= 1/2.
fn asinSmall(a: f32) -> f32 {
  let z = a * a;
  var p = fma(4.2163199048e-2, z, 2.4181311049e-2);
  p = fma(p, z, 4.5470025998e-2);
  p = fma(p, z, 7.4953002686e-2);
  p = fma(p, z, 1.6666752422e-1);
  return fma(p * z, a, a);
}

fn asinF32(v: f32) -> f32 {
  let a = abs(v);
  if (a > 1.0) { return nanF32(); }
  if (a <= 0.5) { return copySign(asinSmall(a), v); }
  return copySign(1.57079633 - 2.0 * asinSmall(sqrt(0.5 * (1.0 - a))), v);
}

fn acosF32(v: f32) -> f32 {
  let a = abs(v);
  if (a > 1.0) { return nanF32(); }
  if (a <= 0.5) { return 1.57079633 - copySign(asinSmall(a), v); }
  let near = 2.0 * asinSmall(sqrt(0.5 * (1.0 - a)));
  return select(near, 3.14159265 - near, v < 0.0);
}

fn atanF32(v: f32) -> f32 {
  let a = abs(v);
  var base = 0.0;
  var t = a;
  if (a > 2.41421356) {
    base = 1.57079633;
    t = -1.0 / a;
  } else if (a > 0.414213562) {
    base = 0.785398163;
    t = (a - 1.0) / (a + 1.0);
  }
  let z = t * t;
  var p = fma(8.05374449538e-2, z, -1.38776856032e-1);
  p = fma(p, z, 1.99777106478e-1);
  p = fma(p, z, -3.33329491539e-1);
  return copySign(base + fma(p * z, t, t), v);
}

fn erfF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let t = min(abs(v), 5.0);
  let s = t * t;
  if (t > 0.927734375) {
    var r = fma(-1.72853470e-5, t, 3.83197126e-4);
    let u = fma(-3.88396438e-3, t, 2.42546219e-2);
    r = fma(r, s, u);
    r = fma(r, t, -1.06777877e-1);
    r = fma(r, t, -6.34846687e-1);
    r = fma(r, t, -1.28717512e-1);
    r = fma(r, t, -t);
    return copySign(1.0 - expF32(r), v);
  }
  var r = fma(-5.96761703e-4, s, 4.99119423e-3);
  r = fma(r, s, -2.67681349e-2);
  r = fma(r, s, 1.12819925e-1);
  r = fma(r, s, -3.76125336e-1);
  r = fma(r, s, 1.28379166e-1);
  return copySign(fma(r, t, t), v);
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

// 2^v: v = k + r with |r| <= 1/2, exactly, and 2^k in two factors as in expScaled.
fn exp2F32(v: f32) -> f32 {
  let x = clamp(v, -151.0, 129.0);
  let k = round(x);
  let e = i32(k);
  let half = e >> 1u;
  return (1.0 + expm1Small((x - k) * 0.693147181)) * exp2Int(half) * exp2Int(e - half);
}

// The logarithm to a base B of v = m 2^e: e (high + low) + log(m) / log(B), with high + low = log2 / log(B), of which
// high is short. What is not a normal number goes through logF32.
fn logBase(v: f32, high: f32, low: f32, perLog: f32) -> f32 {
  if (v < 1.17549435e-38 || !isFinite(v)) { return logF32(v) * perLog; }
  let shifted = bitcast<u32>(v) - 0x3f3504f3u;
  let e = f32(bitcast<i32>(shifted) >> 23u);
  let m = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  return fma(e, high, fma(e, low, logCore(m - 1.0, 0.0) * perLog));
}

// The cube root: a third of the exponent as a start that is 4 % off, then three of Newton's steps, of which the last
// leaves only the rounding of a third of the quotient.
fn cbrtF32(v: f32) -> f32 {
  let a = abs(v);
  if (a == 0.0 || !isFinite(v)) { return v; }
  let tiny = a < 1.17549435e-38;
  let x = select(a, a * 16777216.0, tiny);
  var t = bitcast<f32>(bitcast<u32>(x) / 3u + 709958130u);
  t -= (t - x / (t * t)) * 0.333333333;
  t -= (t - x / (t * t)) * 0.333333333;
  t -= (t - x / (t * t)) * 0.333333333;
  return copySign(select(t, t * 0.00390625, tiny), v);
}

fn nanToNumF32(x: f32, forNan: f32, forPositive: f32, forNegative: f32) -> f32 {
  if (isFinite(x)) { return x; }
  return select(select(forNegative, forPositive, bitcast<u32>(x) == 0x7f800000u), forNan, isNan(x));
}

fn applyFloat(x: f32, p: f32, q: f32) -> f32 {
  switch (OP) {
    case 0u: { return -x; }
    case 1u: { return abs(x); }
    case 2u: { return select(select(0.0, 1.0, x > 0.0), -1.0, x < 0.0); }
    case 3u: { return expF32(x); }
    case 4u: { return logF32(x); }
    case 5u: { return log1pF32(x); }
    case 6u: { return expm1F32(x); }
    case 7u: { return select(sqrt(x), nanF32(), x < 0.0); }
    case 8u: { return select(1.0 / sqrt(x), nanF32(), x < 0.0); }
    case 9u: { return x * x; }
    case 10u: { return 1.0 / x; }
    case 11u: { return sinF32(x); }
    case 12u: { return cosF32(x); }
    case 13u: { return tanF32(x); }
    case 14u: { return asinF32(x); }
    case 15u: { return acosF32(x); }
    case 16u: { return atanF32(x); }
    case 17u: { return sinhF32(x); }
    case 18u: { return coshF32(x); }
    case 19u: { return asinhF32(x); }
    case 20u: { return acoshF32(x); }
    case 21u: { return atanhF32(x); }
    case 22u: { return erfF32(x); }
    case 23u: { return sigmoidF32(x); }
    case 24u: { return tanhF32(x); }
    case 25u: { return select(0.0, x, x > 0.0); }
    case 26u: { return softplusF32(x); }
    case 27u: { return -softplusF32(-x); }
    case 28u: { return floor(x); }
    case 29u: { return ceil(x); }
    case 30u: { return round(x); }
    case 31u: { return trunc(x); }
    case 32u: { return min(max(x, p), q); }
    case 33u: { return x + p; }
    case 34u: { return x * p; }
    case 35u: { return p - x; }
    case 36u: { return p / x; }
    case 37u: { return powF32(x, p); }
    case 38u: { return powF32(p, x); }
    case 39u: { return select(0.0, 1.0, x > 0.0); }
    case 41u: { return exp2F32(x); }
    case 42u: { return logBase(x, 1.0, 0.0, 1.44269504); }
    case 43u: { return logBase(x, 0.30078125, 2.48745664e-4, 0.434294482); }
    case 44u: { return cbrtF32(x); }
    case 48u: { return nanToNumF32(x, p, q, bitcast<f32>(params.r)); }
    default: { return x; }
  }
}

// NaN in, NaN out; only x^0 is 1 for every x, and nanToNum replaces it.
fn applyKeepingNan(x: f32) -> f32 {
  let y = applyFloat(x, bitcast<f32>(params.p), bitcast<f32>(params.q));
  return select(y, x, isNan(x) && OP != 37u && OP != 48u);
}

@compute @workgroup_size(64)
fn unary(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let x = values[i];
  results[i] = vec4f(applyKeepingNan(x.x), applyKeepingNan(x.y), applyKeepingNan(x.z), applyKeepingNan(x.w));
}

fn applyInt(x: i32, p: i32, q: i32) -> i32 {
  switch (OP) {
    case 0u: { return -x; }
    case 1u: { return abs(x); }
    case 2u: { return sign(x); }
    case 9u: { return x * x; }
    case 25u: { return max(x, 0); }
    case 32u: { return min(max(x, p), q); }
    case 33u: { return x + p; }
    case 34u: { return x * p; }
    default: { return x; }
  }
}

@compute @workgroup_size(64)
fn unaryInt(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  wordsOut[i] = applyInt(words[i], bitcast<i32>(params.p), bitcast<i32>(params.q));
}

@compute @workgroup_size(64)
fn unaryTest(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let size = bitcast<u32>(words[i]) & 0x7fffffffu;
  var holds: bool;
  switch (OP) {
    case 45u: { holds = size > 0x7f800000u; }
    case 46u: { holds = size < 0x7f800000u; }
    default: { holds = size == 0x7f800000u; }
  }
  flags[i] = select(0u, 1u, holds);
}
