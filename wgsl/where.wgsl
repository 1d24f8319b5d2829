// out[i] = condition ≠ 0 ? a : b, with NumPy's broadcasting, for any dtype of 32-bit words.
//
//   condition  (any, broadcast to out)  read, bool words
//   a, b       (any, broadcast to out)  read
//   out        (count,)                 `=`; one invocation owns one element (choose), or four neighbours (chooseRows,
//                                       where the last extent is a multiple of four)
//
// `count` counts invocations.

// What divides by an axis' extent (extent, multiplier, shift), and its strides for each operand.
struct Axis {
  divide: vec4u,
  strides: vec4u,
}

struct Params {
  count: u32,
  rank: u32,
  unused0: u32,
  unused1: u32,
  last: vec4u,                   // strides of the last axis: condition, a, b
  first: vec4u,                  // of the outermost axis
  axes: array<Axis, 7>,          // the others
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> condition: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;
@group(0) @binding(4) var<storage, read_write> out4: array<vec4u>;

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

// Where an output's coordinates lead in the condition (x), in a (y) and in b (z).
fn whereAddresses(index: u32) -> vec3u {
  var rest = index;
  var address = vec3u(0u);
  for (var axis = params.rank; axis > 1u; axis--) {
    let divide = params.axes[axis - 2u].divide;
    let quotient = mulHigh(rest, divide.y) >> divide.z;
    address += (rest - quotient * divide.x) * params.axes[axis - 2u].strides.xyz;
    rest = quotient;
  }
  return address + rest * params.first.xyz;
}

@compute @workgroup_size(64)
fn choose(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = whereAddresses(index);
  out[index] = select(b[address.z], a[address.y], condition[address.x] != 0u);
}

@compute @workgroup_size(64)
fn chooseRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = whereAddresses(4u * index);
  let c = address.x + params.last.x * vec4u(0u, 1u, 2u, 3u);
  let i = address.y + params.last.y * vec4u(0u, 1u, 2u, 3u);
  let j = address.z + params.last.z * vec4u(0u, 1u, 2u, 3u);
  let yes = vec4u(a[i.x], a[i.y], a[i.z], a[i.w]);
  let no = vec4u(b[j.x], b[j.y], b[j.z], b[j.w]);
  out4[index] = select(
    no,
    yes,
    vec4u(condition[c.x], condition[c.y], condition[c.z], condition[c.w]) != vec4u(0u),
  );
}
