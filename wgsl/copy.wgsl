// out[i] = input[offset + Σ_d coordinate_d(i) · stride_d], for any dtype of 32-bit words.
// It makes permutations, broadcasts, slices and flips, which differ only in strides.
//
//   input  (any)      read
//   out    (any)      `=`; one invocation owns four neighbours (copyRuns; copyRows, where the last extent is a multiple of
//                     four), or four by four elements (copyBlocks, where the input's neighbours lie along another axis
//                     than the output's, both multiples of four)
//
// Axes run from the outermost to the innermost; strides are two's complement, so a flip has a negative one. For copyBlocks
// the axis of the input's neighbours comes last and the output's before it, both counted in fours, and the second strides lead
// to the output. ⌊n / extent⌋ = mulHigh(n, multiplier) >> shift holds for n < 2^31. `count` counts invocations.

// What divides by an axis' extent (extent, multiplier, shift), and its strides for each operand.
struct Axis {
  divide: vec4u,
  strides: vec4u,
}

struct Params {
  count: u32,
  rank: u32,
  offset: u32,
  step: u32,                     // stride of the last axis; copyBlocks: input stride of the output's neighbours
  outStep: u32,                  // copyBlocks: output stride of the input's neighbours
  unused0: u32,
  unused1: u32,
  unused2: u32,
  first: vec4u,                  // strides of the outermost axis: input, output
  axes: array<Axis, 7>,          // the others
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> input4: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> out4: array<vec4u>;

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

// Where the coordinates of element `index` lead in the input (x) and in the output (y).
fn copyAddresses(index: u32) -> vec2u {
  var rest = index;
  var address = vec2u(params.offset, 0u);
  for (var axis = params.rank; axis > 1u; axis--) {
    let divide = params.axes[axis - 2u].divide;
    let quotient = mulHigh(rest, divide.y) >> divide.z;
    address += (rest - quotient * divide.x) * params.axes[axis - 2u].strides.xy;
    rest = quotient;
  }
  return address + rest * params.first.xy;
}

// Four neighbours where rows end at any element: a step of the last axis, or, where a row ends, a new address.
@compute @workgroup_size(64)
fn copyRuns(
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
  let i0 = copyAddresses(first).x;
  var i1 = i0 + params.step;
  if (turns.y) { i1 = copyAddresses(first + 1u).x; }
  var i2 = i1 + params.step;
  if (turns.z) { i2 = copyAddresses(first + 2u).x; }
  var i3 = i2 + params.step;
  if (turns.w) { i3 = copyAddresses(first + 3u).x; }
  out4[index] = vec4u(input[i0], input[i1], input[i2], input[i3]);
}

@compute @workgroup_size(64)
fn copyRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let i = copyAddresses(4u * index).x + params.step * vec4u(0u, 1u, 2u, 3u);
  out4[index] = vec4u(input[i.x], input[i.y], input[i.z], input[i.w]);
}

@compute @workgroup_size(64)
fn copyBlocks(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = copyAddresses(index);
  let i = (address.x + params.step * vec4u(0u, 1u, 2u, 3u)) >> vec4u(2u);
  let x0 = input4[i.x];
  let x1 = input4[i.y];
  let x2 = input4[i.z];
  let x3 = input4[i.w];
  let o = (address.y + params.outStep * vec4u(0u, 1u, 2u, 3u)) >> vec4u(2u);
  out4[o.x] = vec4u(x0.x, x1.x, x2.x, x3.x);
  out4[o.y] = vec4u(x0.y, x1.y, x2.y, x3.y);
  out4[o.z] = vec4u(x0.z, x1.z, x2.z, x3.z);
  out4[o.w] = vec4u(x0.w, x1.w, x2.w, x3.w);
}
