/** Text of wgsl/conv.narrow*.wgsl behind the helpers of wgsl/conv.wgsl; used by scripts/conv-siblings.ts. */
import { NARROW_CHANNELS, NARROW_TAPS } from '../kernels/conv-gather.ts';

/** Neighbouring places of one line that an invocation owns, in vectors of four. */
const PLACES = 8;
const QUADS = PLACES / 4;
const XYZW = ['x', 'y', 'z', 'w'] as const;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = (count: number, line: (i: number) => string): string => range(count).map(line).join('\n');

/** The vectors of the window, by the first place they hold. */
const WINDOW = ['low', 'middle', 'high'] as const;

/**
 * The entry point that owns `channels` channels and takes `taps` taps in one turn. Up to four taps make a matrix, which takes
 * a vector of the filter; what a fifth one meets is a vector of the window as it is.
 */
function narrowEntry(channels: number, taps: number, quads: boolean): string {
  const columns = Math.min(taps, 4);
  const vectors = Math.ceil((channels * taps) / 4);
  const weight = (at: number): string => `w${at >> 2}.${XYZW[at & 3]}`;
  const row = (c: number): string =>
    columns === 4
      ? `w${c}`
      : `vec${columns}f(${range(columns)
          .map((t) => weight(c * columns + t))
          .join(', ')})`;
  const fifth = (c: number, q: number): string =>
    taps > columns ? ` + window.${WINDOW[q + 1]} * ${weight(channels * columns + c)}` : '';
  return `@compute @workgroup_size(LANES)
fn narrow${channels}x${taps}(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,${quads ? '\n  @builtin(subgroup_invocation_id) laneOfFour: u32,' : ''}
) {
  let number = id.x + id.y * count.x;
  if (number >= params.groups) { return; }
  let place = placeOf(firstPlace(number * LANES + lane), vec3u());
  let walk = windowWalk(${taps}u);
${lines(channels, (c) => lines(QUADS, (q) => `  var sum${c}_${q} = vec4f();`))}
  var turn = vec4u();
  for (var block = 0u; block < walk.blocks; block++) {
    let window = window${taps}(walk, place, turn);
${lines(QUADS, (q) => `    let slide${q} = slide${columns}(window.${WINDOW[q]}, window.${WINDOW[q + 1]});`)}
${lines(vectors, (v) => `    let w${v} = ${quads ? 'filterVectorOfQuad' : 'filterVector'}(block * ${vectors}u + ${v}u${quads ? ', laneOfFour' : ''});`)}
${lines(channels, (c) => lines(QUADS, (q) => `    sum${c}_${q} += slide${q} * ${row(c)}${fifth(c, q)};`))}
    turn = nextTurn(turn, walk.turns);
  }
  let way = wayOut(place);
  var odd = params.activation > 1u;
${lines(channels, (c) => `  odd |= storeEight(way, ${c}u, sum${c}_0, sum${c}_1);`)}
  var sums = array<vec4f, ${channels * QUADS}>(${range(channels)
    .map((c) => `sum${c}_0, sum${c}_1`)
    .join(', ')});
  for (var i = select(${channels * PLACES}u, 0u, odd); i < ${channels * PLACES}u; i++) {
    finishNarrow(place, i % ${PLACES}u, i / ${PLACES}u, sums[i / 4u][i % 4u]);
  }
}
`;
}

/** Loads of the window for this many taps, zero beyond its line. */
function windowText(taps: number): string {
  const load = (j: number): string =>
    j < PLACES + taps - 1
      ? `select(0.0, x[at${j ? ` + ${j}u * walk.pixel` : ''}], inLine${j ? ` + ${j}u * walk.pixel` : ''} < walk.source.z)`
      : '0.0';
  const vector = (q: number): string => `    vec4f(\n${lines(4, (e) => `      ${load(4 * q + e)},`)}\n    ),`;
  return `fn window${taps}(walk: Walk, place: Place, turn: vec4u) -> Window {
  let stretch = stretchOf(walk, place, turn);
  let at = stretch.at;
  let inLine = stretch.inLine;
  return Window(
${lines(WINDOW.length, vector)}
  );
}
`;
}

/** What neighbouring places meet under each of so many taps. */
function slideText(columns: number): string {
  const column = (t: number): string => {
    const parts = [`a.${XYZW.slice(t).join('')}`, ...(t ? [`b.${XYZW.slice(0, t).join('')}`] : [])];
    return `vec4f(${parts.join(', ')})`;
  };
  return `fn slide${columns}(a: vec4f, b: vec4f) -> mat${columns}x4f {
  return mat${columns}x4f(${range(columns).map(column).join(', ')});
}
`;
}

const PLAIN_WEIGHTS = `@group(0) @binding(5) var<storage, read> packed: array<vec4f>;

// Vector \`number\` of the packed filter.
fn filterVector(number: u32) -> vec4f {
  return packed[number];
}
`;

/** To some drivers a load is dear, and one in all lanes no cheaper than one of a lane's own. */
const QUAD_WEIGHTS = `@group(0) @binding(5) var<storage, read> packed: array<f32>;

// Vector \`number\` of the packed filter: each lane loads one number of it and passes it around.
fn filterVectorOfQuad(number: u32, lane: u32) -> vec4f {
  let own = packed[number * 4u + lane];
  return vec4f(
    subgroupBroadcast(own, 0u),
    subgroupBroadcast(own, 1u),
    subgroupBroadcast(own, 2u),
    subgroupBroadcast(own, 3u),
  );
}
`;

const helpers = (weights: string): string => `override LANES: u32 = 8u;

${weights}
fn hasNan(v: vec4f) -> bool {
  return any((bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}

fn reluIf(v: vec4f, relu: vec4<bool>) -> vec4f {
  return select(v, vec4f(), (v < vec4f()) & relu);
}

// What the stores of all channels need.
struct Way {
  first: u32, // address of the first place's first channel
  channels: u32,
  hasBias: u32,
  relu: vec4<bool>,
}

fn wayOut(place: Place) -> Way {
  let channels = params.channels;
  return Way(place.out * channels, channels, params.hasBias, vec4<bool>(params.activation == 1u));
}

// Adds the bias, applies relu, and stores the ${PLACES} places of a channel, or of the last one; tells whether one of them is NaN.
fn storeEight(way: Way, wanted: u32, low: vec4f, high: vec4f) -> bool {
  let channel = min(wanted, way.channels - 1u);
  let biasOf = vec4f(select(0.0, bias[channel * way.hasBias], way.hasBias != 0u));
  let v = reluIf(low + biasOf, way.relu);
  let u = reluIf(high + biasOf, way.relu);
  let at = way.first + channel;
${lines(QUADS, (q) => lines(4, (e) => `  out[at + ${4 * q + e}u * way.channels] = ${'vu'[q]}.${XYZW[e]};`))}
  return hasNan(v) || hasNan(u);
}

// Stores the sum of one place and channel that takes more than relu.
fn finishNarrow(place: Place, along: u32, wanted: u32, sum: f32) {
  let channel = min(wanted, params.channels - 1u);
  let step = along * params.pixel;
  let own = Place(place.at + vec3i(0, 0, i32(step)), place.origin + step, place.out + along, true);
  finishPlace(own, vec3u(), 0u, channel * params.wChannel, true, channel, sum);
}

// The first place of a piece. The last piece of a line ends where the line does, so two pieces may write one place, both the
// same; so do pieces that are not there.
fn firstPlace(item: u32) -> u32 {
  let piece = min(item, params.items - 1u);
  let line = piece / params.pieces;
  return line * params.grid.z + min((piece - line * params.pieces) * ${PLACES}u, params.grid.z - ${PLACES}u);
}

// What every turn of the loop needs of the uniforms.
struct Walk {
  blocks: u32,
  turns: vec4u, // along each axis of the kernel, and channels of x
  source: vec3u,
  pixel: u32,
  offset: vec2i,
  tapStep: vec2i,
  ahead: i32, // elements from a place to the first one that its taps meet
  stretch: u32, // elements from one stretch of taps to the next
}

fn windowWalk(taps: u32) -> Walk {
  let pixel = params.pixel;
  let kernel = params.kernel;
  let ahead = (params.offset.z + min(0, (i32(kernel.z) - 1) * params.tapStep.z)) * i32(pixel);
  return Walk(
    params.blocks,
    vec4u(kernel.x, kernel.y, params.tapTurns, params.depth),
    params.source,
    pixel,
    params.offset.xy,
    params.tapStep.xy,
    ahead,
    taps * pixel,
  );
}

// Where a turn begins in x, and the same element counted along its line. A turn takes a stretch of taps along the last axis,
// for one channel of x.
struct Stretch {
  at: u32,
  inLine: u32,
}

fn stretchOf(walk: Walk, place: Place, turn: vec4u) -> Stretch {
  let along = walk.ahead + i32(turn.z * walk.stretch + turn.w);
  let z = walk.offset.x + i32(turn.x) * walk.tapStep.x;
  let y = walk.offset.y + i32(turn.y) * walk.tapStep.y;
  let valid = u32(place.at.x + z) < walk.source.x && u32(place.at.y + y) < walk.source.y;
  let shift = (z * i32(walk.source.y) + y) * i32(walk.source.z) + along;
  return Stretch(place.origin + u32(shift), select(NOWHERE, u32(place.at.z + along), valid));
}

// What a turn's taps meet: places 0 to 3, 4 to 7, and beyond.
struct Window {
  low: vec4f,
  middle: vec4f,
  high: vec4f,
}

${NARROW_TAPS.map(windowText).join('\n')}
// What four neighbouring places meet under each of so many taps, a column for each tap.
${[...new Set(NARROW_TAPS.map((taps) => Math.min(taps, 4)))].map(slideText).join('\n')}
`;

const PACKING = `
// Element i of the packed filter is number i % (4 * VECTORS) of a turn: for each of OWN channels up to four taps, then for each
// the fifth.
override OWN: u32 = 1u;
override TAPS: u32 = 1u;
override VECTORS: u32 = 1u;

@group(0) @binding(1) var<storage, read> filters: array<f32>;
@group(0) @binding(2) var<storage, read_write> packing: array<f32>;

@compute @workgroup_size(64)
fn pack(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (id.x + id.y * count.x) * 64u + lane;
  if (i >= params.blocks * VECTORS * 4u) { return; }
  let block = i / (VECTORS * 4u);
  let number = i % (VECTORS * 4u);
  let columns = min(TAPS, 4u);
  let fifth = number >= OWN * columns;
  let tapOfTurn = select(number % columns, 4u, fifth);
  let own = select(number / columns, number - OWN * columns, fifth);
  let stretch = block / params.depth;
  let line = stretch / params.tapTurns;
  let column = stretch % params.tapTurns * TAPS + tapOfTurn;
  let inside = number < OWN * TAPS && column < params.kernel.z;
  let tap = line * params.kernel.z + select(column, params.kernel.z - 1u - column, params.tapStep.z < 0);
  let channel = min(own, params.channels - 1u);
  let at = tap * params.wTap + block % params.depth * params.wDepth + channel * params.wChannel;
  packing[i] = select(0.0, filters[at], inside);
}
`;

const work = `// For results of few channels, one group, and windows that move by one. Invocation i owns ${PLACES} neighbouring places of a line in all
// channels, and writes them with \`=\`. In each turn it loads the elements that a stretch of neighbouring taps meets, for one
// channel of x, and each of them serves as many taps. \`pack\` of conv.narrow.wgsl brings the filter into the order of these turns
// beforehand and fills it up with zeros, and where there are less channels than an entry point owns, with the last one again.
//
//   binding 5   packed   what \`pack\` wrote    read
`;

export const narrowWork = `${work}//   for \`pack\`: binding 1   filters   like w    read;    binding 2   packing   (blocks, VECTORS, 4)   write
`;
export const narrowQuadsWork = work;

const entries = (quads: boolean): string =>
  NARROW_CHANNELS.flatMap((c) => NARROW_TAPS.map((t) => narrowEntry(c, t, quads))).join('\n');

/** `nextTurn` is the text of that function. */
export const narrowText = (nextTurn: string): string =>
  `${helpers(PLAIN_WEIGHTS)}${nextTurn}${PACKING}\n${entries(false)}`;
/** For subgroups of 4. */
export const narrowQuadsText = (nextTurn: string): string =>
  `${helpers(QUAD_WEIGHTS)}${nextTurn}\n${entries(true)}`;
