// out[i] = input[offset + Σ_d position_d · stride_d]  where every coordinate of i lies in the region,
// out[i] = value                                      elsewhere.
// position_d = (coordinate_d − start_d) / step_d; i lies in the region where this is a whole number from 0 to
// size_d − 1 on every axis. It makes padding, diagonals and the gradient of slices, for any dtype of 32-bit words.
//
//   input  (any)      read
//   out    (count,)   one invocation owns one element, `=`
//
// Axes run from the outermost to the innermost; strides are two's complement, as a reversed region has negative ones.
// ⌊n / extent⌋ = mulHigh(n, multiplier) >> shift holds for n < 2^31.

struct Params {
  count: u32,
  rank: u32,
  offset: u32,
  value: u32,
  extent: array<vec4u, 2>,
  multiplier: array<vec4u, 2>,
  shift: array<vec4u, 2>,
  start: array<vec4u, 2>,
  step: array<vec4u, 2>,
  size: array<vec4u, 2>,
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
fn place(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  var rest = index;
  var address = params.offset;
  var inside = true;
  for (var axis = params.rank; axis > 0u; axis--) {
    let word = (axis - 1u) >> 2u;
    let part = (axis - 1u) & 3u;
    var quotient = 0u;
    if (axis > 1u) { quotient = mulHigh(rest, params.multiplier[word][part]) >> params.shift[word][part]; }
    let coordinate = rest - quotient * params.extent[word][part];
    let start = params.start[word][part];
    let step = params.step[word][part];
    let distance = coordinate - start;
    var position = distance;
    if (step != 1u) { position = distance / step; }
    inside = inside && coordinate >= start && position * step == distance && position < params.size[word][part];
    address += position * params.stride[word][part];
    rest = quotient;
  }
  var result = params.value;
  if (inside) { result = input[address]; }
  out[index] = result;
}
