// Noise on a tensor, drawn where it is used: element i takes block `counter + j` of Philox 4x32-10 (Salmon et al., 2011)
// under the key, with j its place in the noise's shape (i itself, or what axes of extent 1 leave of it: STRETCHED).
//
//   binding 1   x    (4 count,)   read
//   binding 2   out  (4 count,)   `=`; one invocation owns four neighbours
//
// KIND 0: out = x a + b where the block's 24 bits are below `limit`, else c: dropout and its relatives, exact in what is kept.
// KIND 1: out = x + a z, KIND 2: out = x (1 + a z), with z a standard normal number. The same counter gives the same noise, so
// the gradient draws it again instead of loading it.

override KIND: u32 = 0u;
override STRETCHED: bool = false;
override ROWS: bool = false;     // with STRETCHED: four neighbours always lie in one row
override FLOATS: bool = false;   // Philox's products without shifts, which cost SwiftShader seven additions each

struct Params {
  count: u32,
  key0: u32,
  key1: u32,
  counterLow: u32,
  counterHigh: u32,
  limit: u32,
  rank: u32,
  last: u32,             // the noise's stride along the last axis
  scalars: vec4f,        // a, b, c
  axes: array<vec4u, 8>, // extent, multiplier and shift that divide by it, the noise's stride
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x4: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out4: array<vec4f>;

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

fn stretchedAddress(index: u32) -> u32 {
  var rest = index;
  var address = 0u;
  for (var axis = params.rank; axis > 1u; axis--) {
    let own = params.axes[axis - 1u];
    let quotient = mulHigh(rest, own.y) >> own.z;
    address += (rest - quotient * own.x) * own.w;
    rest = quotient;
  }
  return address + rest * params.axes[0].w;
}

fn noisy(x: vec4f, words: Words) -> vec4f {
  let s = params.scalars;
  switch (KIND) {
    case 0u: {
      let kept = (words.x >> vec4u(8u)) < vec4u(params.limit);
      return select(vec4f(s.z), fma(x, vec4f(s.x), vec4f(s.y)), kept);
    }
    case 1u: { return fma(normal(words.x, words.y), vec4f(s.x), x); }
    default: { return x * fma(normal(words.x, words.y), vec4f(s.x), vec4f(1.0)); }
  }
}

@compute @workgroup_size(64)
fn dropout(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  var place = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u);
  if (STRETCHED && ROWS) {
    place = stretchedAddress(4u * i) + params.last * vec4u(0u, 1u, 2u, 3u);
  } else if (STRETCHED) {
    place = vec4u(
      stretchedAddress(place.x),
      stretchedAddress(place.y),
      stretchedAddress(place.z),
      stretchedAddress(place.w),
    );
  }
  let low = params.counterLow + place;
  let high = params.counterHigh + select(vec4u(0u), vec4u(1u), low < place);
  out4[i] = noisy(x4[i], philox(low, high, params.key0, params.key1));
}
