/** Waits up to `timeoutMs` until the condition holds; whether it does. */
export async function settled(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) return false;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  return true;
}
