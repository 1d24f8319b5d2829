// out[i] = input[offset + Σ_d coordinate_d(i) · stride_d], for any dtype of 32-bit words.
// It makes permutations, broadcasts, slices and flips, which differ only in strides.
//
//   input  (any)      read
//   out    (count,)   one invocation owns one element, `=`
//
// Axes run from the outermost to the innermost; strides are two's complement, so a flip has a negative one.
// ⌊n / extent⌋ = mulHigh(n, multiplier) >> shift holds for n < 2^31.

struct Params {
  count: u32,
  rank: u32,
  offset: u32,
  unused: u32,
  extent: array<vec4u, 2>,
  multiplier: array<vec4u, 2>,
  shift: array<vec4u, 2>,
  stride: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

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

@compute @workgroup_size(64)
fn copy(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  var rest = index;
  var address = params.offset;
  for (var axis = params.rank; axis > 1u; axis--) {
    let word = (axis - 1u) >> 2u;
    let part = (axis - 1u) & 3u;
    let quotient = mulHigh(rest, params.multiplier[word][part]) >> params.shift[word][part];
    address += (rest - quotient * params.extent[word][part]) * params.stride[word][part];
    rest = quotient;
  }
  out[index] = input[address + rest * params.stride[0][0]];
}
