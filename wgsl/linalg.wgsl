// Small dense linear algebra: one workgroup for each matrix of a batch, n ≤ 64, one invocation for each row.
//
//   cholesky    out = L, lower triangular, L·Lᵀ = matrix; only the lower triangle of matrix is read
//   triangular  out = X, op(matrix)·X = right; op transposes when `transposed`; only the named triangle is read
//   solve       out = X, op(matrix)·X = right, by LU with partial pivoting (the first of equal pivots) in work
//
//   matrix  (batch, n, n)   read
//   right   (batch, n, m)   read
//   out     (batch, n, n) resp. (batch, n, m)   `=`; row i belongs to invocation i, but for the exchange of two rows
//   work    (batch, n, n)   scratch
//
// A matrix that is not positive definite, or is singular, or holds a NaN or an infinity where it is read, gives NaN in
// its whole result. Invocations decide so independently from the same numbers, so that no barrier depends on it.

struct Params {
  batch: u32,
  n: u32,
  m: u32,
  lower: u32,
  transposed: u32,
  pad0: u32,
  pad1: u32,
  pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> factor: array<f32>;
@group(0) @binding(2) var<storage, read> right: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> work: array<f32>;

fn nanF32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

fn isFinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) < 0x7f800000u;
}

@compute @workgroup_size(64)
fn cholesky(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) row: u32,
) {
  let number = group.x + group.y * groups.x;
  if (number >= params.batch) { return; }
  let n = params.n;
  let base = number * n * n;
  let own = base + row * n;
  var good = true;
  for (var k = 0u; k < n; k++) {
    // Columns 0 … k − 1 are done. The pivot is computed by all, the rest of the column by those below.
    let top = base + k * n;
    var pivot = matrix[top + k];
    for (var p = 0u; p < k; p++) { pivot -= factor[top + p] * factor[top + p]; }
    good = good && isFinite(pivot) && pivot > 0.0;
    let diagonal = sqrt(pivot);
    if (row < k) {
      factor[own + k] = 0.0;
    } else if (row == k) {
      factor[own + k] = diagonal;
    } else if (row < n) {
      var sum = matrix[own + k];
      for (var p = 0u; p < k; p++) { sum -= factor[own + p] * factor[top + p]; }
      good = good && isFinite(sum);
      factor[own + k] = sum / diagonal;
    }
    storageBarrier();
  }
  // A row below a bad pivot has seen it; a row above learns from the last pivots, which all have computed.
  if (!good && row < n) {
    for (var k = 0u; k < n; k++) { factor[own + k] = nanF32(); }
  }
}

@compute @workgroup_size(64)
fn triangular(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) row: u32,
) {
  let number = group.x + group.y * groups.x;
  if (number >= params.batch) { return; }
  let n = params.n;
  let m = params.m;
  let base = number * n * n;
  let baseOut = number * n * m;
  let own = baseOut + row * m;
  let downwards = (params.lower != 0u) != (params.transposed != 0u);
  let across = select(1u, n, params.transposed != 0u); // from a column of op(matrix) to the next
  let along = select(n, 1u, params.transposed != 0u);
  var good = true;
  for (var i = 0u; i < n; i++) {
    for (var j = 0u; j <= i; j++) {
      let address = select(base + j * n + i, base + i * n + j, params.lower != 0u);
      good = good && isFinite(matrix[address]) && (i != j || matrix[address] != 0.0);
    }
  }
  if (row < n) {
    for (var c = 0u; c < m; c++) { out[own + c] = right[own + c]; }
  }
  storageBarrier();
  for (var turn = 0u; turn < n; turn++) {
    let k = select(n - 1u - turn, turn, downwards);
    let waits = row < n && select((row < k), (row > k), downwards);
    let solved = baseOut + k * m;
    let diagonal = matrix[base + k * n + k];
    if (row == k) {
      for (var c = 0u; c < m; c++) { out[own + c] /= diagonal; }
    }
    storageBarrier();
    if (waits) {
      let weight = matrix[base + row * along + k * across];
      for (var c = 0u; c < m; c++) { out[own + c] -= weight * out[solved + c]; }
    }
    storageBarrier();
  }
  if (!good && row < n) {
    for (var c = 0u; c < m; c++) { out[own + c] = nanF32(); }
  }
}

@compute @workgroup_size(64)
fn solve(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) row: u32,
) {
  let number = group.x + group.y * groups.x;
  if (number >= params.batch) { return; }
  let n = params.n;
  let m = params.m;
  let base = number * n * n;
  let baseOut = number * n * m;
  let ownWork = base + row * n;
  let ownOut = baseOut + row * m;
  let across = select(1u, n, params.transposed != 0u);
  let along = select(n, 1u, params.transposed != 0u);
  var good = true;
  for (var i = 0u; i < n * n; i++) { good = good && isFinite(matrix[base + i]); }
  if (row < n) {
    for (var j = 0u; j < n; j++) { work[ownWork + j] = matrix[base + row * along + j * across]; }
    for (var c = 0u; c < m; c++) { out[ownOut + c] = right[ownOut + c]; }
  }
  storageBarrier();
  for (var k = 0u; k < n; k++) {
    // All look for the pivot, then share the exchange of the two rows, one column each.
    var best = k;
    var size = abs(work[base + k * n + k]);
    for (var i = k + 1u; i < n; i++) {
      let candidate = abs(work[base + i * n + k]);
      if (candidate > size) {
        size = candidate;
        best = i;
      }
    }
    good = good && isFinite(size) && size > 0.0;
    storageBarrier();
    if (best != k) {
      if (row < n) {
        let one = base + k * n + row;
        let other = base + best * n + row;
        let kept = work[one];
        work[one] = work[other];
        work[other] = kept;
      }
      for (var c = row; c < m; c += 64u) {
        let one = baseOut + k * m + c;
        let other = baseOut + best * m + c;
        let kept = out[one];
        out[one] = out[other];
        out[other] = kept;
      }
    }
    storageBarrier();
    if (row > k && row < n) {
      let scale = work[ownWork + k] / work[base + k * n + k];
      for (var j = k + 1u; j < n; j++) { work[ownWork + j] -= scale * work[base + k * n + j]; }
      for (var c = 0u; c < m; c++) { out[ownOut + c] -= scale * out[baseOut + k * m + c]; }
    }
    storageBarrier();
  }
  for (var turn = 0u; turn < n; turn++) {
    let k = n - 1u - turn;
    if (row == k) {
      for (var c = 0u; c < m; c++) { out[ownOut + c] /= work[ownWork + k]; }
    }
    storageBarrier();
    if (row < k) {
      let weight = work[ownWork + k];
      for (var c = 0u; c < m; c++) { out[ownOut + c] -= weight * out[baseOut + k * m + c]; }
    }
    storageBarrier();
  }
  if (!good && row < n) {
    for (var c = 0u; c < m; c++) { out[ownOut + c] = nanF32(); }
  }
}
