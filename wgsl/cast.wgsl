// out[i] = convert(input[i]); `unpack` also multiplies: out[i] = byte_i · scale.
//
//   input  (count,)  read; packed uint8: four elements to a word, the first in the lowest byte
//   out    (4 count,)  one invocation owns four neighbours, `=`
//
// float → int truncates towards zero, saturates at the ends of int32, and turns NaN into 0.
// Anything → bool is `≠ 0`; NaN is true.

struct Params {
  count: u32,
  scale: f32,
  unused0: u32,
  unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> input4: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> out4: array<vec4u>;

const FLOAT_TO_INT = 0u;
const FLOAT_TO_BOOL = 1u;
const INT_TO_FLOAT = 2u;
const INT_TO_BOOL = 3u;
const BOOL_TO_FLOAT = 4u;
const COPY = 5u;
override KIND: u32 = 0u;
override TO_FLOAT: bool = true;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn toInt(v: f32) -> i32 {
  if (isNan(v)) { return 0; }
  if (v >= 2147483648.0) { return 2147483647; }
  if (v <= -2147483648.0) { return -2147483647 - 1; }
  return i32(v);
}

fn convert(bits: u32) -> u32 {
  switch (KIND) {
    case FLOAT_TO_INT: { return bitcast<u32>(toInt(bitcast<f32>(bits))); }
    case FLOAT_TO_BOOL: { return select(0u, 1u, (bits & 0x7fffffffu) != 0u); }
    case INT_TO_FLOAT: { return bitcast<u32>(f32(bitcast<i32>(bits))); }
    case INT_TO_BOOL: { return select(0u, 1u, bits != 0u); }
    case BOOL_TO_FLOAT: { return bitcast<u32>(f32(bits)); }
    default: { return bits; }
  }
}

@compute @workgroup_size(64)
fn castWords(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let x = input4[index];
  out4[index] = vec4u(convert(x.x), convert(x.y), convert(x.z), convert(x.w));
}

@compute @workgroup_size(64)
fn unpack(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let bytes = unpack4xU8(input[index]);
  if (TO_FLOAT) {
    out4[index] = bitcast<vec4u>(vec4f(bytes) * params.scale);
  } else {
    out4[index] = bytes;
  }
}
