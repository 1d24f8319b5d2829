// Random numbers: out[i] is drawn from block `counter + i` of Philox 4x32-10 (Salmon et al., 2011) under the key.
//
//   binding 1   out   (count,)   write   the bits of f32, i32 or bool words, as the distribution has it
//
// Invocation i owns elements 4 i to 4 i + 3 and writes them with `=`. One block per element, so streams never shift.
// DISTRIBUTION: 0 uniform a + u (b - a), below `limit` at most; 1 normal, mean a, deviation b; 2 the same cut at
// a ± 2 b; 3 Bernoulli: a where the 24 bits are below `limit`, else 0; 4 whole numbers a + ⌊word · limit / 2^32⌋
// (`limit` 0 stands for 2^32); 5 the raw word. 0, 3, 4 and 5 are exact on every device.

override DISTRIBUTION: u32 = 0u;
override FLOATS: bool = false;   // Philox's products without shifts, which cost SwiftShader seven additions each

struct Params {
  count: u32,
  key0: u32,
  key1: u32,
  counterLow: u32,
  counterHigh: u32,
  a: u32,
  b: u32,
  limit: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>;

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

// The words of four blocks.
struct Words {
  x: vec4u,
  y: vec4u,
  z: vec4u,
  w: vec4u,
}

const SIGN = vec4u(0x80000000u);

// An unsigned word less 2^31.
fn centred(v: vec4u) -> vec4f {
  return vec4f(bitcast<vec4i>(v ^ SIGN));
}

// The upper 32 bits of v * F for the two factors of Philox; `product` holds the lower ones.
//
// In integers, F is taken apart into halves that are small enough for no sum to overflow: 0xd2511f53 has a small lower
// half, and 0xcd9e8d57 is 2^32 - 0x326172a9.
//
// In floats: with h the upper half of v, the result is h * (F >> 16) + q, where q = (v * F - h * (F >> 16) * 2^32 -
// product) / 2^32 is a whole number below 2^17. So q may be computed in float32 with an error, here about 2^-6, and h
// exactly. Adding 2^23 turns the low bits of a float into an integer; the 0x4b000000 on top of both is subtracted last.
// The constant in `rest` undoes both `centred` and adds a quarter to q, so that q is right whether the device rounds to
// nearest or towards zero.
fn upperA(v: vec4u, product: vec4u) -> vec4u {
  if (FLOATS) {
    let high = centred(v & vec4u(0xffff0000u));
    let low = vec4f(bitcast<vec4i>(v & vec4u(0xffffu)));
    let rest = high * 8019.0 + (low * 3528531795.0 + 17219597631488.0) - centred(product);
    let h = bitcast<vec4u>(high * 1.52587890625e-5 + 8421376.0);
    let q = bitcast<vec4u>(rest * 2.3283064365386963e-10 + 8388608.0);
    return h * 0xd251u + (q - vec4u(0x06000000u));
  }
  let low = v & vec4u(0xffffu);
  let high = v >> vec4u(16u);
  return high * 0xd251u + ((high * 0x1f53u + low * 0xd251u + ((low * 0x1f53u) >> vec4u(16u))) >> vec4u(16u));
}

fn upperB(v: vec4u, product: vec4u) -> vec4u {
  if (FLOATS) {
    let high = centred(v & vec4u(0xffff0000u));
    let low = vec4f(bitcast<vec4i>(v & vec4u(0xffffu)));
    let rest = high * 36183.0 + (low * 3449720151.0 + 77701327093760.0) - centred(product);
    let h = bitcast<vec4u>(high * 1.52587890625e-5 + 8421376.0);
    let q = bitcast<vec4u>(rest * 2.3283064365386963e-10 + 8388608.0);
    return h * 0xcd9eu + (q - vec4u(0x95000000u));
  }
  let low = v & vec4u(0xffffu);
  let high = v >> vec4u(16u);
  let other = high * 0x3261u + ((high * 0x72a9u + low * 0x3261u + ((low * 0x72a9u) >> vec4u(16u))) >> vec4u(16u));
  return v - min(v, vec4u(1u)) - other;
}

fn philoxRound(c: Words, key0: u32, key1: u32) -> Words {
  let y = c.z * 0xcd9e8d57u;
  let w = c.x * 0xd2511f53u;
  return Words(upperB(c.z, y) ^ c.y ^ vec4u(key0), y, upperA(c.x, w) ^ c.w ^ vec4u(key1), w);
}

// Words x and y of the blocks of four counters. The rounds are written out: a loop is slow on software, and what nobody
// reads of the first and the last two is left out by every compiler only so.
fn philox(low: vec4u, high: vec4u, key0: u32, key1: u32) -> Words {
  let w = low * 0xd2511f53u;
  var c = Words(high ^ vec4u(key0), vec4u(0u), upperA(low, w) ^ vec4u(key1), w);
  c = philoxRound(c, key0 + 0x9e3779b9u, key1 + 0xbb67ae85u);
  c = philoxRound(c, key0 + 0x3c6ef372u, key1 + 0x76cf5d0au);
  c = philoxRound(c, key0 + 0xdaa66d2bu, key1 + 0x32370b8fu);
  c = philoxRound(c, key0 + 0x78dde6e4u, key1 + 0xed9eba14u);
  c = philoxRound(c, key0 + 0x1715609du, key1 + 0xa9066899u);
  c = philoxRound(c, key0 + 0xb54cda56u, key1 + 0x646e171eu);
  c = philoxRound(c, key0 + 0x5384540fu, key1 + 0x1fd5c5a3u);
  c = philoxRound(c, key0 + 0xf1bbcdc8u, key1 + 0xdb3d7428u);
  c = philoxRound(c, key0 + 0x8ff34781u, key1 + 0x96a522adu);
  return c;
}

// log(v) - log(2^scale) for normal v > 0, with a relative error below 1.6e-6, which is enough for the 1e-5 of a normal
// number. The mantissa 1 + f is taken from [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2); e is the exponent times 2^23.
fn logScaled(v: vec4f, scale: u32) -> vec4f {
  let shifted = bitcast<vec4u>(v) - vec4u(0x3f3504f3u + (scale << 23u));
  let f = bitcast<vec4f>((shifted & vec4u(0x007fffffu)) + vec4u(0x3f3504f3u)) - 1.0;
  let e = vec4f(bitcast<vec4i>(shifted & vec4u(0xff800000u)));
  var p = fma(f, vec4f(0.1194932725), vec4f(-0.185875733));
  p = fma(p, f, vec4f(0.2044913561));
  p = fma(p, f, vec4f(-0.2491906561));
  p = fma(p, f, vec4f(0.3331922072));
  p = fma(p, f, vec4f(-0.5000084854));
  return fma(e, vec4f(8.2629582949e-8), fma(p, f * f, f));
}

// Box and Muller: sqrt(-2 log u) cos(2 pi k / 2^24), where u = (bits + 1) / 2^24 lies in (0, 1] and k is a signed number
// of 24 bits. The cosine is sin(pi / 2 s) for s = 1 - |k| / 2^22 in [-1, 1]. Both u (times 2^32 here) and s are exact.
fn normal(word0: vec4u, word1: vec4u) -> vec4f {
  let u = centred(word0 & vec4u(0xffffff00u)) + 2147483904.0;
  let radius = sqrt(max(-2.0 * logScaled(u, 32u), vec4f(0.0)));
  let s = 1.0 - abs(vec4f(bitcast<vec4i>(word1 & vec4u(0xffffff00u)))) * 9.31322574615478515625e-10;
  let z = s * s;
  var p = fma(z, vec4f(1.51485129e-4), vec4f(-4.673766609e-3));
  p = fma(p, z, vec4f(7.968967895e-2));
  p = fma(p, z, vec4f(-0.6459637106));
  p = fma(p, z, vec4f(1.570796318));
  return radius * (p * s);
}

// The quantile of 1/2 + q by AS 241 (PPND7, Wichura 1988); q is odd in the 24 bits, so the draw is symmetric.
fn truncatedNormal(word: vec4u) -> vec4f {
  let q = vec4f(vec4i(word >> vec4u(8u)) * 2 + 1 - 16777216) * 2.9802322387695312e-8 * 0.9544997361036416;
  let r = 0.180625 - q * q;
  var above = fma(vec4f(59.109374720), r, vec4f(159.29113202));
  above = fma(fma(above, r, vec4f(50.434271938)), r, vec4f(3.3871327179));
  let below = fma(fma(fma(vec4f(67.187563600), r, vec4f(78.757757664)), r, vec4f(17.895169469)), r, vec4f(1.0));
  let t = sqrt(-logScaled(0.5 - abs(q), 0u)) - 1.6;
  var outerAbove = fma(vec4f(0.17023821103), t, vec4f(1.3067284816));
  outerAbove = fma(fma(outerAbove, t, vec4f(2.7568153900)), t, vec4f(1.4234372777));
  let outerBelow = fma(fma(vec4f(0.12021132975), t, vec4f(0.73700164250)), t, vec4f(1.0));
  let centre = q * above / below;
  let flank = sign(q) * outerAbove / outerBelow;
  return clamp(select(flank, centre, abs(q) <= vec4f(0.425)), vec4f(-2.0), vec4f(2.0));
}

fn draw(words: Words) -> vec4u {
  let a = vec4f(bitcast<f32>(params.a));
  let b = vec4f(bitcast<f32>(params.b));
  switch (DISTRIBUTION) {
    case 0u: {
      let u = vec4f(vec4i(words.x >> vec4u(8u))) * 5.9604644775390625e-8;
      return bitcast<vec4u>(min(fma(u, b, a), vec4f(bitcast<f32>(params.limit))));
    }
    case 1u: { return bitcast<vec4u>(fma(normal(words.x, words.y), b, a)); }
    case 2u: { return bitcast<vec4u>(fma(truncatedNormal(words.x), b, a)); }
    case 3u: { return select(vec4u(0u), vec4u(params.a), (words.x >> vec4u(8u)) < vec4u(params.limit)); }
    case 4u: {
      if (params.limit == 0u) {
        return params.a + words.x;
      }
      let w = words.x;
      let n = params.limit;
      return params.a + vec4u(mulHigh(w.x, n), mulHigh(w.y, n), mulHigh(w.z, n), mulHigh(w.w, n));
    }
    default: { return words.x; }
  }
}

@compute @workgroup_size(64)
fn random(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (4u * i >= params.count) { return; }
  let offset = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u);
  let low = params.counterLow + offset;
  let high = params.counterHigh + select(vec4u(0u), vec4u(1u), low < offset);
  out[i] = draw(philox(low, high, params.key0, params.key1));
}
