/** RFC 3339 text with nanoseconds, as operations and events carry it; the clock gives microseconds. */
export function timestamp(): string {
  const now = performance.timeOrigin + performance.now();
  const whole = Math.floor(now);
  const micros = Math.floor((now - whole) * 1000);
  const seconds = new Date(whole).toISOString().slice(0, 19);
  const milliseconds = String(whole % 1000).padStart(3, '0');
  return `${seconds}.${milliseconds}${String(micros).padStart(3, '0')}000Z`;
}
