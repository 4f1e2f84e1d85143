/** Phase 1: a fixed window. Phase 2 asks for a token bucket, so that a burst at the edge of a window cannot double the rate. */
export function createLimiter({ limit, windowMs }) {
  let windowStart = 0;
  let used = 0;
  return {
    allow(nowMs) {
      if (nowMs - windowStart >= windowMs) {
        windowStart = nowMs;
        used = 0;
      }
      used += 1;
      return used <= limit;
    },
  };
}
