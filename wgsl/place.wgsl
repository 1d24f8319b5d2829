// out[i] = input[offset + Σ_d position_d · stride_d]  where every coordinate of i lies in the region,
// out[i] = value                                      elsewhere.
// position_d = (coordinate_d − start_d) / step_d; i lies in the region where this is a whole number from 0 to
// size_d − 1 on every axis. It makes padding, diagonals and the gradient of slices, for any dtype of 32-bit words.
//
//   input  (any)   read
//   out    (any)   `=`; one invocation owns four neighbours (placeRuns; placeQuads, where the region's rows start and end
//                  at multiples of four, so that an axis' last coordinate and every stride count in fours), or up to
//                  four such quads of a row (placeRows)
//
// Axes run from the outermost to the innermost; strides are two's complement, as a reversed region has negative ones.
// ⌊n / extent⌋ = mulHigh(n, multiplier) >> shift holds for n < 2^31. `count` counts invocations.

// What divides by an axis' extent (extent, multiplier, shift; in placeRows the extent of the last one, too), and the region on it (start, step, size, stride).
struct Axis {
  divide: vec4u,
  region: vec4u,
}

struct Params {
  count: u32,
  rank: u32,
  offset: u32,
  value: u32,
  axes: array<Axis, 8>,
}

// An address in the input; without meaning outside of the region.
struct Place {
  address: u32,
  inside: bool,
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

// One coordinate's share of the address.
fn placedOn(region: vec4u, coordinate: u32) -> Place {
  let distance = coordinate - region.x;
  var position = distance;
  if (region.y != 1u) { position = distance / region.y; }
  let inside = coordinate >= region.x && position * region.y == distance && position < region.z;
  return Place(position * region.w, inside);
}

// Where element `index` of the `rank` outermost axes comes from.
fn placedFrom(index: u32, rank: u32) -> Place {
  var rest = index;
  var place = Place(params.offset, true);
  for (var axis = rank; axis > 0u; axis--) {
    let divide = params.axes[axis - 1u].divide;
    var quotient = 0u;
    if (axis > 1u) { quotient = mulHigh(rest, divide.y) >> divide.z; }
    let own = placedOn(params.axes[axis - 1u].region, rest - quotient * divide.x);
    place = Place(place.address + own.address, place.inside && own.inside);
    rest = quotient;
  }
  return place;
}

@compute @workgroup_size(64)
fn placeQuads(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let place = placedFrom(index, params.rank);
  var result = vec4u(params.value);
  if (place.inside) { result = input4[place.address]; }
  out4[index] = result;
}

// Quad `column` of a row of the result.
fn placedQuad(outer: Place, region: vec4u, column: u32) -> vec4u {
  let own = placedOn(region, column);
  var result = vec4u(params.value);
  if (outer.inside && own.inside) { result = input4[outer.address + own.address]; }
  return result;
}

// Four quads of a row share the outer coordinates. The last axis' divisor is the number of such pieces in a row.
@compute @workgroup_size(64)
fn placeRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let last = params.rank - 1u;
  let divide = params.axes[last].divide;
  let region = params.axes[last].region;
  let extent = divide.w;
  let row = select(mulHigh(index, divide.y) >> divide.z, index, divide.x == 1u);
  let column = 4u * (index - row * divide.x);
  let outer = placedFrom(row, last);
  let first = row * extent + column;
  let left = extent - column;
  out4[first] = placedQuad(outer, region, column);
  if (left > 1u) { out4[first + 1u] = placedQuad(outer, region, column + 1u); }
  if (left > 2u) { out4[first + 2u] = placedQuad(outer, region, column + 2u); }
  if (left > 3u) { out4[first + 3u] = placedQuad(outer, region, column + 3u); }
}

// Four neighbours share the outer coordinates, except where a row ends among them.
@compute @workgroup_size(64)
fn placeRuns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let last = params.rank - 1u;
  let divide = params.axes[last].divide;
  let region = params.axes[last].region;
  let first = 4u * index;
  var row = 0u;
  if (last > 0u) { row = mulHigh(first, divide.y) >> divide.z; }
  let column = first - row * divide.x;
  let outer = placedFrom(row, last);
  var result = vec4u(params.value);
  for (var next = 0u; next < 4u; next++) {
    var place: Place;
    if (column + next < divide.x) {
      let own = placedOn(region, column + next);
      place = Place(outer.address + own.address, outer.inside && own.inside);
    } else {
      place = placedFrom(first + next, params.rank);
    }
    if (place.inside) { result[next] = input[place.address]; }
  }
  out4[index] = result;
}
