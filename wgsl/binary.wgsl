// out[i] = f(a, b) with NumPy's broadcasting, for floats, integers and booleans.
//
//   a    (any, broadcast to out)  read
//   b    (any, broadcast to out)  read
//   out  (4 count,)               `=`; one invocation owns four neighbours
//
// `binarySame` is for operands that lie like the output. The others walk both operands by strides (0 along a stretched
// axis): `binaryRuns` always, `binaryRows` where the last extent is a multiple of four, so that four neighbours share a
// row, and `binaryVectors` where each operand moreover gives them one value or a whole vec4.
// `count` counts what the invocations own. All words travel as bits, OP knows what they mean.
// ⌊n / extent⌋ = mulHigh(n, multiplier) >> shift. The codes are those of `binaryOps` in kernels/binary.ts. Elementary
// functions are our own, within 4 ulp (pow, atan2, hypot; logAddExp within 3e-7 near 0), and mod and floorDiv divide
// exactly.

// What divides by an axis' extent (extent, multiplier, shift), and its strides for each operand.
struct Axis {
  divide: vec4u,
  strides: vec4u,
}

struct Params {
  count: u32,
  rank: u32,
  lastA: u32,                    // strides of the last axis
  lastB: u32,
  slab: vec4u,                   // SLABS: from one slab to the next in a, b and out, in words, words and vec4s
  first: vec4u,                  // strides of the outermost axis: a, b
  axes: array<Axis, 7>,          // the others
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(1) var<storage, read> a4: array<vec4u>;
@group(0) @binding(2) var<storage, read> b4: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> out4: array<vec4u>;

override OP: u32 = 0u;
// binaryVectors: the operand is stretched along the last axis; else its neighbours there form whole vec4s.
override ONE_A: bool = false;
override ONE_B: bool = false;
// An invocation owns the same place in each of four slabs, the quarters of the outermost axis.
override SLABS: bool = false;
// Whether an operand differs between slabs, that is, is not stretched along the outermost axis.
override MOVES_A: bool = true;
override MOVES_B: bool = true;

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

// exp(r) - 1 for |r| <= ln 2 / 2.
fn expm1Small(r: f32) -> f32 {
  var p = fma(1.9875691500e-4, r, 1.3981999507e-3);
  p = fma(p, r, 8.3334519073e-3);
  p = fma(p, r, 4.1665795894e-2);
  p = fma(p, r, 1.6666665459e-1);
  p = fma(p, r, 5.0000001201e-1);
  return fma(p, r * r, r);
}

fn isFinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) < 0x7f800000u;
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

// A NaN of either side, else the larger.
fn maximumF32(x: f32, y: f32) -> f32 {
  return select(select(select(y, x, x > y), y, isNan(y)), x, isNan(x));
}

fn minimumF32(x: f32, y: f32) -> f32 {
  return select(select(select(y, x, x < y), y, isNan(y)), x, isNan(x));
}

fn equalF32(x: f32, y: f32) -> bool {
  return x == y && !isNan(x) && !isNan(y);
}

fn ordered(x: f32, y: f32) -> bool {
  return !isNan(x) && !isNan(y);
}

// |v| with the sign of s.
fn copySign(v: f32, s: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(v) & 0x7fffffffu) | (bitcast<u32>(s) & 0x80000000u));
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

// A remainder by long division of the mantissas, eight bits a step: a = quotient b + remainder with the signs taken
// away. The quotient is exact below 2^24 and within 2 ulp above, the remainder is exact.
struct Division {
  quotient: f32,
  remainder: f32,
  exact: bool, // whether there is none; a tiny one may flush to zero
}

// For finite a >= 0 and finite b > 0; a subnormal a counts as 0.
fn divide(a: f32, b: f32) -> Division {
  if (a < b) { return Division(0.0, a, a == 0.0); }
  let aBits = bitcast<u32>(a);
  let bBits = bitcast<u32>(b);
  let divisor = (bBits & 0x007fffffu) | 0x00800000u;
  let exponent = bBits >> 23u;
  var left = (aBits >> 23u) - exponent;
  var rest = (aBits & 0x007fffffu) | 0x00800000u;
  var digits = rest / divisor;
  rest -= digits * divisor;
  var quotient = f32(digits);
  while (left > 0u) {
    let step = min(left, 8u);
    let wide = rest << step;
    digits = wide / divisor;
    rest = wide - digits * divisor;
    quotient = fma(quotient, f32(1u << step), f32(digits));
    left -= step;
  }
  // rest 2^(exponent - 150), in two factors that are both normal.
  let remainder = f32(rest) * exp2Int(i32(exponent >> 1u) - 75) * exp2Int(i32(exponent - (exponent >> 1u)) - 75);
  return Division(quotient, remainder, rest == 0u);
}

// The sign of a zero and of an infinity counts too.
fn negative(v: f32) -> bool {
  return (bitcast<u32>(v) >> 31u) == 1u;
}

// a - b floor(a / b): the sign is that of b. Without a remainder for infinite a and for b = 0.
fn modF32(a: f32, b: f32) -> f32 {
  let size = abs(b);
  if (isNan(a) || isNan(b) || !isFinite(a) || size < 1.17549435e-38) { return nanF32(); }
  var rest = abs(a);
  if (isFinite(b)) { rest = divide(rest, size).remainder; }
  if (rest == 0.0) { return copySign(0.0, b); }
  return copySign(select(rest, size - rest, negative(a) != negative(b)), b);
}

// floor(a / b); a / 0 is infinite or NaN as in a division.
fn floorDivF32(a: f32, b: f32) -> f32 {
  let size = abs(b);
  let opposite = negative(a) != negative(b);
  if (isNan(a) || isNan(b)) { return nanF32(); }
  if (size < 1.17549435e-38) {
    return select(copySign(infF32(), select(1.0, -1.0, opposite)), nanF32(), a == 0.0);
  }
  if (!isFinite(a)) { return nanF32(); }
  var division = Division(0.0, abs(a), a == 0.0);
  if (isFinite(b)) { division = divide(division.remainder, size); }
  if (!opposite) { return division.quotient; }
  return -(division.quotient + select(1.0, 0.0, division.exact));
}

// The angle of the point (x, y). The ratio of the smaller to the larger magnitude goes through atan; both are scaled
// down, as divisors above 2^126 are not divided exactly.
fn atan2F32(y: f32, x: f32) -> f32 {
  if (isNan(x) || isNan(y)) { return nanF32(); }
  let low = min(abs(x), abs(y));
  let high = max(abs(x), abs(y));
  var ratio: f32;
  if (!isFinite(high)) {
    ratio = select(0.0, 1.0, !isFinite(low));
  } else {
    let scale = select(1.0, 0.125, high > 1.0e37);
    ratio = select(low * scale / (high * scale), 0.0, high == 0.0);
  }
  var angle = atanF32(ratio);
  if (abs(y) > abs(x)) { angle = 1.57079633 - angle; }
  if (negative(x)) { angle = 3.14159265 - angle; }
  return copySign(angle, y);
}

// sqrt(x^2 + y^2) with both scaled by a power of two, so that only the result overflows. Infinite beside a NaN too.
fn hypotF32(x: f32, y: f32) -> f32 {
  let infinite = (!isNan(x) && !isFinite(x)) || (!isNan(y) && !isFinite(y));
  if (infinite) { return infF32(); }
  if (isNan(x) || isNan(y)) { return nanF32(); }
  let low = min(abs(x), abs(y));
  let high = max(abs(x), abs(y));
  var shift = 0;
  if (high > 1.0e15) { shift = -70; }
  if (high < 1.0e-15) { shift = 70; }
  let a = low * exp2Int(shift);
  let b = high * exp2Int(shift);
  return sqrt(fma(a, a, b * b)) * exp2Int(-shift);
}

// log(exp(x) + exp(y)) = max + log(1 + exp(-|x - y|)); equals, infinite ones too, give x + log 2.
fn logAddExpF32(x: f32, y: f32) -> f32 {
  if (isNan(x) || isNan(y)) { return nanF32(); }
  if (x == y) { return x + 0.693147181; }
  return max(x, y) + log1pF32(expF32(-abs(x - y)));
}

// Toward minus infinity; 0 for a division by 0, and the least integer over -1 wraps to itself.
fn floorDivI32(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  if (b == -1) { return -a; }
  let quotient = a / b;
  return quotient - select(0, 1, quotient * b != a && (a < 0) != (b < 0));
}

fn modI32(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  return a - floorDivI32(a, b) * b;
}

// Whether the bits of a float are those of something other than zero; a NaN counts as true.
fn truth(v: u32) -> bool {
  return (v & 0x7fffffffu) != 0u;
}

fn word(condition: bool) -> u32 {
  return select(0u, 1u, condition);
}

fn apply(x: u32, y: u32) -> u32 {
  let xf = bitcast<f32>(x);
  let yf = bitcast<f32>(y);
  let xi = bitcast<i32>(x);
  let yi = bitcast<i32>(y);
  switch (OP) {
    case 0u: { return bitcast<u32>(xf + yf); }
    case 1u: { return bitcast<u32>(xf - yf); }
    case 2u: { return bitcast<u32>(xf * yf); }
    case 3u: { return bitcast<u32>(xf / yf); }
    case 4u: { return bitcast<u32>(powF32(xf, yf)); }
    case 5u: { return bitcast<u32>(maximumF32(xf, yf)); }
    case 6u: { return bitcast<u32>(minimumF32(xf, yf)); }
    case 7u: { return bitcast<u32>(modF32(xf, yf)); }
    case 8u: { return bitcast<u32>(floorDivF32(xf, yf)); }
    case 10u: { return word(equalF32(xf, yf)); }
    case 11u: { return word(!equalF32(xf, yf)); }
    case 12u: { return word(ordered(xf, yf) && xf < yf); }
    case 13u: { return word(ordered(xf, yf) && xf <= yf); }
    case 14u: { return word(ordered(xf, yf) && xf > yf); }
    case 15u: { return word(ordered(xf, yf) && xf >= yf); }
    case 16u: { return select(bitcast<u32>(xf * yf), 0u, !truth(x) || !truth(y)); }
    case 17u: { return select(x, 0u, !isNan(yf) && yf <= 0.0); }
    case 20u: { return x + y; }
    case 21u: { return x - y; }
    case 22u: { return x * y; }
    case 25u: { return bitcast<u32>(max(xi, yi)); }
    case 26u: { return bitcast<u32>(min(xi, yi)); }
    case 27u: { return bitcast<u32>(modI32(xi, yi)); }
    case 28u: { return bitcast<u32>(floorDivI32(xi, yi)); }
    case 30u: { return word(x == y); }
    case 31u: { return word(x != y); }
    case 32u: { return word(xi < yi); }
    case 33u: { return word(xi <= yi); }
    case 34u: { return word(xi > yi); }
    case 35u: { return word(xi >= yi); }
    case 40u: { return x & y; }
    case 41u: { return x | y; }
    case 42u: { return x ^ y; }
    case 50u: { return bitcast<u32>(atan2F32(xf, yf)); }
    case 51u: { return bitcast<u32>(hypotF32(xf, yf)); }
    case 52u: { return bitcast<u32>(logAddExpF32(xf, yf)); }
    case 53u: { return word(truth(x) && truth(y)); }
    case 54u: { return word(truth(x) || truth(y)); }
    case 55u: { return word(truth(x) != truth(y)); }
    case 56u: { return word(x != 0u && y != 0u); }
    case 57u: { return word(x != 0u || y != 0u); }
    case 58u: { return word((x != 0u) != (y != 0u)); }
    case 60u: { return select(0u, x << (y & 31u), y < 32u); }
    case 61u: { return bitcast<u32>(xi >> min(y, 31u)); }
    default: { return 0u; }
  }
}

// Where an output's coordinates lead in a and in b.
fn binaryAddresses(index: u32) -> vec2u {
  var rest = index;
  var address = vec2u(0u);
  for (var axis = params.rank; axis > 1u; axis--) {
    let divide = params.axes[axis - 2u].divide;
    let quotient = mulHigh(rest, divide.y) >> divide.z;
    address += (rest - quotient * divide.x) * params.axes[axis - 2u].strides.xy;
    rest = quotient;
  }
  return address + rest * params.first.xy;
}

fn applyFour(x: vec4u, y: vec4u) -> vec4u {
  return vec4u(apply(x.x, y.x), apply(x.y, y.y), apply(x.z, y.z), apply(x.w, y.w));
}

// Four neighbours where rows end at any element: a step of the last axis, or, where a row ends, a new address.
@compute @workgroup_size(64)
fn binaryRuns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let first = 4u * index;
  var turns = vec4<bool>(false);
  if (params.rank > 1u) {
    let divide = params.axes[params.rank - 2u].divide;
    let place = first - (mulHigh(first, divide.y) >> divide.z) * divide.x + vec4u(0u, 1u, 2u, 3u);
    turns = (place == vec4u(divide.x)) | (place == vec4u(2u * divide.x));
  }
  let step = vec2u(params.lastA, params.lastB);
  let i0 = binaryAddresses(first);
  var i1 = i0 + step;
  if (turns.y) { i1 = binaryAddresses(first + 1u); }
  var i2 = i1 + step;
  if (turns.z) { i2 = binaryAddresses(first + 2u); }
  var i3 = i2 + step;
  if (turns.w) { i3 = binaryAddresses(first + 3u); }
  out4[index] = applyFour(vec4u(a[i0.x], a[i1.x], a[i2.x], a[i3.x]), vec4u(b[i0.y], b[i1.y], b[i2.y], b[i3.y]));
}

@compute @workgroup_size(64)
fn binaryRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = binaryAddresses(4u * index);
  let i = address.x + params.lastA * vec4u(0u, 1u, 2u, 3u);
  let j = address.y + params.lastB * vec4u(0u, 1u, 2u, 3u);
  out4[index] = applyFour(vec4u(a[i.x], a[i.y], a[i.z], a[i.w]), vec4u(b[j.x], b[j.y], b[j.z], b[j.w]));
}

// Four neighbours of an operand along the last axis; addresses count words.
fn loadA(address: u32) -> vec4u {
  let x = a4[address >> 2u];
  if (ONE_A) { return vec4u(x[address & 3u]); }
  return x;
}

fn loadB(address: u32) -> vec4u {
  let y = b4[address >> 2u];
  if (ONE_B) { return vec4u(y[address & 3u]); }
  return y;
}

@compute @workgroup_size(64)
fn binaryVectors(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = binaryAddresses(4u * index);
  let x0 = loadA(address.x);
  let y0 = loadB(address.y);
  if (SLABS) {
    var x1 = x0;
    var x2 = x0;
    var x3 = x0;
    if (MOVES_A) {
      x1 = loadA(address.x + params.slab.x);
      x2 = loadA(address.x + 2u * params.slab.x);
      x3 = loadA(address.x + 3u * params.slab.x);
    }
    var y1 = y0;
    var y2 = y0;
    var y3 = y0;
    if (MOVES_B) {
      y1 = loadB(address.y + params.slab.y);
      y2 = loadB(address.y + 2u * params.slab.y);
      y3 = loadB(address.y + 3u * params.slab.y);
    }
    out4[index + params.slab.z] = applyFour(x1, y1);
    out4[index + 2u * params.slab.z] = applyFour(x2, y2);
    out4[index + 3u * params.slab.z] = applyFour(x3, y3);
  }
  out4[index] = applyFour(x0, y0);
}

@compute @workgroup_size(64)
fn binarySame(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  out4[index] = applyFour(a4[index], b4[index]);
  if (SLABS) {
    let i = index + params.slab.z * vec4u(0u, 1u, 2u, 3u);
    let x1 = a4[i.y];
    let y1 = b4[i.y];
    let x2 = a4[i.z];
    let y2 = b4[i.z];
    let x3 = a4[i.w];
    let y3 = b4[i.w];
    out4[i.y] = applyFour(x1, y1);
    out4[i.z] = applyFour(x2, y2);
    out4[i.w] = applyFour(x3, y3);
  }
}
