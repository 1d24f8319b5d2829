/** The switch of the anomaly mode; `anomaly.ts` has the mode itself. */
let depth = 0;

export const anomalyMode = (): boolean => depth > 0;

export function enterAnomalyMode(): () => void {
  depth++;
  let left = false;
  return () => {
    if (!left) depth--;
    left = true;
  };
}
